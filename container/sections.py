"""The `.rune` file: a WebAssembly module with the container's parts in custom sections.

    outer module     the `simd` profile's code, or an empty module when there is no such profile
    rune.manifest    canonical JSON, see container/manifest.py
    rune.mcu         the `mcu` profile's module, whole
    rune.golden      golden vectors, see container/golden.py

`seal` writes them in this order; the same parts give the same bytes.  Other custom sections are left alone.
Framing: the WebAssembly core specification, "Binary Format / Modules"; integers are unsigned LEB128.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from container.abi import Profile
from container.errors import ContainerError, RuneError
from container.files import read_bounded
from container.manifest import Manifest

MAXIMUM_FILE_BYTES = 256 << 20
"""The largest container that is read."""
EMPTY_MODULE = b"\0asm\x01\0\0\0"
"""Magic number and version of a WebAssembly module: the smallest one there is."""
MANIFEST_SECTION = "rune.manifest"
MCU_SECTION = "rune.mcu"
GOLDEN_SECTION = "rune.golden"

_OUR_SECTIONS = (MANIFEST_SECTION, MCU_SECTION, GOLDEN_SECTION)
_CUSTOM = 0
_MAXIMUM_U32_BYTES = 5


class Section(NamedTuple):
    """One section of a module: `data[start:end]` with its header, `payload` without header and name."""

    identifier: int
    name: str
    """Of a custom section; empty for the others."""
    start: int
    payload: bytes
    end: int


@dataclass(frozen=True)
class Container:
    """A container, taken apart."""

    manifest: Manifest
    modules: Mapping[Profile, bytes]
    """The WebAssembly module of each profile; free of the container's own sections."""
    golden: bytes | None
    """The golden section as it is in the file, for `container.golden.parse`; None when none are sealed."""
    digest: str
    """SHA-256 of the whole file, in hexadecimal."""

    @classmethod
    def parse(cls, data: bytes) -> Container:
        """Take the bytes of a `.rune` file apart.  Raises ContainerError; code is not looked into."""
        ours, rest = _split(data)
        if MANIFEST_SECTION not in ours:
            raise ContainerError(
                f"this WebAssembly module is no container: it has no section `{MANIFEST_SECTION}`",
                hint="build one with `rune build`",
            )
        manifest = Manifest.from_json(ours[MANIFEST_SECTION])
        modules = _modules(manifest, rest, ours.get(MCU_SECTION))
        return cls(manifest, modules, ours.get(GOLDEN_SECTION), hashlib.sha256(data).hexdigest())


def load(path: Path | str) -> Container:
    """Read a `.rune` file.  Raises ContainerError whose message begins with the path."""
    try:
        return Container.parse(read_bounded(Path(path), MAXIMUM_FILE_BYTES))
    except ContainerError as error:
        raise ContainerError(f"{path}: {error.message}", hint=error.hint) from None
    except RuneError as error:
        raise ContainerError(error.message, hint="build a container with `rune build`") from None


def seal(manifest: Manifest, modules: Mapping[Profile, bytes], golden: bytes | None = None) -> bytes:
    """The bytes of a `.rune` file.

    `modules` holds the WebAssembly module of every profile in `manifest.plans`; `golden` comes from
    `container.golden.encode`.  Raises ContainerError when the parts do not belong together.
    """
    outer = modules.get(Profile.SIMD, EMPTY_MODULE)
    parts = {
        MANIFEST_SECTION: manifest.to_json(),
        MCU_SECTION: modules.get(Profile.MCU),
        GOLDEN_SECTION: golden,
    }
    sections = [custom_section(name, part) for name, part in parts.items() if part is not None]
    data = outer + b"".join(sections)
    Container.parse(data)
    return data


def custom_section(name: str, payload: bytes) -> bytes:
    """A WebAssembly custom section."""
    encoded = name.encode()
    contents = _leb128(len(encoded)) + encoded + payload
    return bytes([_CUSTOM]) + _leb128(len(contents)) + contents


def sections(module: bytes) -> Iterator[Section]:
    """The sections of a WebAssembly module, in order.  Raises ContainerError where the framing is broken."""
    if module[:4] != EMPTY_MODULE[:4]:
        raise ContainerError(f"not a WebAssembly module: begins with {module[:4].hex(' ') or 'nothing'}")
    if module[4:8] != EMPTY_MODULE[4:]:
        raise ContainerError(f"not a WebAssembly module of version 1: the version is {module[4:8].hex(' ')}")
    position = len(EMPTY_MODULE)
    while position < len(module):
        section = _section(module, position)
        yield section
        position = section.end


def _split(data: bytes) -> tuple[dict[str, bytes], bytes]:
    """The payloads of our sections, and the module that remains without them."""
    ours: dict[str, bytes] = {}
    rest = [data[: len(EMPTY_MODULE)]]
    for section in sections(data):
        if section.name not in _OUR_SECTIONS:
            rest.append(data[section.start : section.end])
        elif section.name in ours:
            raise ContainerError(f"the section `{section.name}` is there twice")
        else:
            ours[section.name] = section.payload
    return ours, b"".join(rest)


def _modules(manifest: Manifest, outer: bytes, mcu: bytes | None) -> dict[Profile, bytes]:
    modules: dict[Profile, bytes] = {}
    if Profile.SIMD in manifest.plans:
        modules[Profile.SIMD] = outer
    elif any(section.identifier != _CUSTOM for section in sections(outer)):
        raise ContainerError("there is code of the profile `simd`, but the manifest has no plan for it")
    if (mcu is not None) != (Profile.MCU in manifest.plans):
        raise ContainerError(f"the manifest's plans and the section `{MCU_SECTION}` do not belong together")
    if mcu is not None:
        _check_framing(mcu)
        modules[Profile.MCU] = mcu
    return modules


def _check_framing(mcu: bytes) -> None:
    try:
        for _ in sections(mcu):
            pass
    except ContainerError as error:
        raise ContainerError(f"section `{MCU_SECTION}`: {error.message}") from None


def _section(module: bytes, start: int) -> Section:
    identifier = module[start]
    size, position = _read_leb128(module, start + 1, len(module))
    end = position + size
    if end > len(module):
        left = len(module) - position
        raise ContainerError(
            f"cut short: the section at byte {start} has {size:,} bytes, the file ends after {left:,}"
        )
    name = ""
    if identifier == _CUSTOM:
        name, position = _read_name(module, position, end)
    return Section(identifier, name, start, module[position:end], end)


def _read_name(module: bytes, position: int, end: int) -> tuple[str, int]:
    length, start = _read_leb128(module, position, end)
    if start + length > end:
        raise ContainerError(f"the name of the section at byte {position} runs over the section's end")
    try:
        return module[start : start + length].decode(), start + length
    except UnicodeDecodeError:
        raise ContainerError(f"the name of the section at byte {position} is not UTF-8") from None


def _leb128(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(0x80 | value & 0x7F)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_leb128(data: bytes, position: int, end: int) -> tuple[int, int]:
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
