"""As much of ELF as is needed to take firmware out of what the linker made: loaded bytes and symbols."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_PROGRAM = struct.Struct("<8I")
_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<IIIBBH")
_LOADED = 1
_SYMBOL_TABLE = 2


@dataclass(frozen=True)
class Elf:
    """A linked file of 32 bits, little-endian (System V ABI, chapters 4 and 5).

    It comes from our own linker: nothing in it is checked.
    """

    data: bytes

    def image(self) -> bytes:
        """What is loaded, by physical address, from the lowest on; gaps hold the 0xFF of erased flash."""
        pieces = [
            (physical, self.data[offset : offset + size])
            for offset, physical, size in self._segments()
            if size
        ]
        start = min(address for address, _ in pieces)
        end = max(address + len(piece) for address, piece in pieces)
        image = bytearray(b"\xff" * (end - start))
        for address, piece in pieces:
            image[address - start : address - start + len(piece)] = piece
        return bytes(image)

    def symbols(self) -> dict[str, int]:
        """Addresses of named symbols; of equal names the last."""
        table = next(section for section in self._sections() if section[1] == _SYMBOL_TABLE)
        names = self._sections()[table[6]]
        found = {}
        for name, value, *_ in _SYMBOL.iter_unpack(self.data[table[4] : table[4] + table[5]]):
            text = self._text(names[4] + name)
            if text:
                found[text] = value
        return found

    def _segments(self) -> list[tuple[int, int, int]]:
        """Offset, physical address and size in the file of what is loaded."""
        header = _HEADER.unpack_from(self.data)
        programs = [
            _PROGRAM.unpack_from(self.data, header[5] + index * _PROGRAM.size) for index in range(header[10])
        ]
        return [(program[1], program[3], program[4]) for program in programs if program[0] == _LOADED]

    def _sections(self) -> list[tuple[int, ...]]:
        header = _HEADER.unpack_from(self.data)
        return [
            _SECTION.unpack_from(self.data, header[6] + index * _SECTION.size) for index in range(header[12])
        ]

    def _text(self, offset: int) -> str:
        return self.data[offset : self.data.index(b"\0", offset)].decode("ascii", "replace")
