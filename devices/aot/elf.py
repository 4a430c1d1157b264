"""ELF files as our own linker writes them: 32 bits, little-endian.  (System V ABI, "Object Files".)"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("<16xHHIIIIIHHHHHH")
_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<IIIBBH")
_SYMBOL_TABLE = 2
_NO_BITS = 8
_ALLOCATED = 2


@dataclass(frozen=True)
class Section:
    name: str
    address: int
    size: int
    """In bytes."""
    data: bytes
    """Empty where the file has none, as for `.bss`."""
    allocated: bool


@dataclass(frozen=True)
class Symbol:
    name: str
    address: int
    size: int
    """In bytes."""
    is_function: bool
    section: str
    """Empty for one that belongs to none."""


@dataclass(frozen=True)
class Elf:
    sections: dict[str, Section]
    symbols: tuple[Symbol, ...]

    def symbol(self, name: str) -> Symbol:
        """The symbol of that name.  Raises KeyError."""
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol
        raise KeyError(name)

    def size_of(self, name: str) -> int:
        """Size of a section; 0 where there is none."""
        return self.sections[name].size if name in self.sections else 0


def parse(data: bytes) -> Elf:
    """Take a linked file apart."""
    _, _, _, _, _, table, _, _, _, _, entry_bytes, count, names = _HEADER.unpack_from(data)
    headers = [_SECTION.unpack_from(data, table + entry_bytes * number) for number in range(count)]
    strings = _contents(data, headers[names])
    sections = [
        Section(
            _text(strings, header[0]),
            header[3],
            header[5],
            _contents(data, header),
            bool(header[2] & _ALLOCATED),
        )
        for header in headers
    ]
    symbols: list[Symbol] = []
    for header in headers:
        if header[1] == _SYMBOL_TABLE:
            symbols += _symbols(_contents(data, header), _contents(data, headers[header[6]]), sections)
    return Elf({section.name: section for section in sections}, tuple(symbols))


def _contents(data: bytes, header: tuple[int, ...]) -> bytes:
    return b"" if header[1] == _NO_BITS else data[header[4] : header[4] + header[5]]


def _symbols(table: bytes, strings: bytes, sections: list[Section]) -> list[Symbol]:
    symbols = []
    for name, value, size, info, _, index in _SYMBOL.iter_unpack(table):
        is_function = info & 0xF == 2
        section = sections[index].name if 0 < index < len(sections) else ""
        symbols.append(Symbol(_text(strings, name), value & ~is_function, size, is_function, section))
    return symbols


def _text(strings: bytes, start: int) -> str:
    return strings[start : strings.index(b"\0", start)].decode("utf-8", "replace")
