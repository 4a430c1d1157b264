"""The framing of a WebAssembly module: sections, and nothing of what is in them.

The WebAssembly core specification, "Binary Format / Modules"; integers are unsigned LEB128.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from container.errors import ContainerError

EMPTY_MODULE = b"\0asm\x01\0\0\0"
"""Magic number and version of a WebAssembly module: the smallest one there is."""
CUSTOM = 0
START = 8

_MAXIMUM_U32_BYTES = 5


class Section(NamedTuple):
    """One section of a module: `data[start:end]` with its header, `payload` without header and name."""

    identifier: int
    name: str
    """Of a custom section; empty for the others."""
    start: int
    payload: bytes
    end: int


def custom_section(name: str, payload: bytes) -> bytes:
    """A WebAssembly custom section."""
    encoded = name.encode()
    contents = leb128(len(encoded)) + encoded + payload
    return bytes([CUSTOM]) + leb128(len(contents)) + contents


def is_module(data: bytes) -> bool:
    """Whether data begin as WebAssembly does."""
    return data[:4] == EMPTY_MODULE[:4]


def sections(module: bytes) -> Iterator[Section]:
    """The sections of a WebAssembly module, in order.  Raises ContainerError where the framing is broken."""
    if not is_module(module):
        raise ContainerError(f"not a WebAssembly module: begins with {module[:4].hex(' ') or 'nothing'}")
    if module[4:8] != EMPTY_MODULE[4:]:
        raise ContainerError(f"not a WebAssembly module of version 1: the version is {module[4:8].hex(' ')}")
    position = len(EMPTY_MODULE)
    while position < len(module):
        section = _section(module, position)
        yield section
        position = section.end


def _section(module: bytes, start: int) -> Section:
    identifier = module[start]
    size, position = read_leb128(module, start + 1, len(module))
    end = position + size
    if end > len(module):
        left = len(module) - position
        raise ContainerError(
            f"cut short: the section at byte {start} has {size:,} bytes, the file ends after {left:,}"
        )
    name = ""
    if identifier == CUSTOM:
        name, position = _read_name(module, position, end)
    return Section(identifier, name, start, module[position:end], end)


def _read_name(module: bytes, position: int, end: int) -> tuple[str, int]:
    length, start = read_leb128(module, position, end)
    if start + length > end:
        raise ContainerError(f"the name of the section at byte {position} runs over the section's end")
    try:
        return module[start : start + length].decode(), start + length
    except UnicodeDecodeError:
        raise ContainerError(f"the name of the section at byte {position} is not UTF-8") from None


def leb128(value: int) -> bytes:
    """An unsigned LEB128."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(0x80 | value & 0x7F)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def read_leb128(data: bytes, position: int, end: int) -> tuple[int, int]:
    """An unsigned 32-bit integer and the position after it."""
    value = 0
    for number in range(_MAXIMUM_U32_BYTES):
        if position + number >= end:
            raise ContainerError(f"cut short: a number at byte {position} has no end")
        byte = data[position + number]
        value |= (byte & 0x7F) << (7 * number)
        if byte < 0x80 and value < 1 << 32:
            return value, position + number + 1
    raise ContainerError(f"the number at byte {position} does not fit 32 bits")
