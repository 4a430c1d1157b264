"""The `.rune` file: a WebAssembly module with the container's parts in custom sections.

    outer module     the `simd` profile's code, or an empty module when there is no such profile
    rune.manifest    canonical JSON, see container/manifest.py
    rune.mcu         the `mcu` profile's module, whole
    rune.golden      golden vectors, see container/golden.py

`seal` writes them in this order; the same parts give the same bytes.  Other custom sections are left alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from container.abi import Profile
from container.errors import ContainerError, RuneError
from container.files import read_bounded
from container.manifest import Manifest
from container.wasm import CUSTOM, EMPTY_MODULE, custom_section, is_module, sections

MAXIMUM_FILE_BYTES = 256 << 20
"""The largest container that is read."""
MANIFEST_SECTION = "rune.manifest"
MCU_SECTION = "rune.mcu"
GOLDEN_SECTION = "rune.golden"

_BUILD_HINT = "`rune build RUNEFILE` builds a container"
_OUR_SECTIONS = (MANIFEST_SECTION, MCU_SECTION, GOLDEN_SECTION)


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
        data = read_bounded(Path(path), MAXIMUM_FILE_BYTES)
    except RuneError as error:
        raise ContainerError(error.message, hint=_BUILD_HINT) from None
    try:
        return Container.parse(data)
    except ContainerError as error:
        hint = error.hint if is_module(data) else _BUILD_HINT
        raise ContainerError(f"{path}: {error.message}", hint=hint) from None


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
    elif any(section.identifier != CUSTOM for section in sections(outer)):
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
