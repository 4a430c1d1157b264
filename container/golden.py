"""The `rune.golden` section: inputs and expected outputs of the whole pipeline.

    u32      length of the header in bytes, little-endian
    header   canonical JSON: for each vector its origin, and the byte count of each input and output
    data     the values, in the order of the header: inputs by name, then outputs by port

Values are the very bytes that pass through the ABI: little-endian, row-major, text padded with NULs to its
width; `container.arrays` turns them into arrays by the types that the manifest gives.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from container import codec
from container.errors import ContainerError
from container.manifest import Manifest, StageKind

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class GoldenVector:
    """One inference: what goes in and what must come out."""

    inputs: Mapping[str, bytes]
    """By the name of the capability."""
    outputs: Mapping[int, bytes]
    """By the number that is passed to `write`."""
    origin: str = ""
    """Where the inputs came from, such as `seed 3` or a file's name; for messages."""


@dataclass(frozen=True)
class _Entry:
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    origin: str = ""


@dataclass(frozen=True)
class _Header:
    vectors: tuple[_Entry, ...]


def encode(vectors: Sequence[GoldenVector]) -> bytes:
    """The section's bytes; the same vectors give the same bytes."""
    header = codec.encode(_Header(tuple(_entry(vector) for vector in vectors)))
    return _LENGTH.pack(len(header)) + header + b"".join(map(_data, vectors))


def parse(section: bytes, manifest: Manifest) -> tuple[GoldenVector, ...]:
    """The vectors, each checked to have every input and output of the pipeline at its size.

    Raises ContainerError.
    """
    header, position = _header(section)
    vectors = []
    for number, entry in enumerate(header.vectors):
        try:
            vector, position = _vector(entry, section, position)
            _check(vector, manifest)
        except ContainerError as error:
            raise ContainerError(f"golden vector {number}: {error.message}") from None
        vectors.append(vector)
    if position != len(section):
        raise ContainerError(f"golden vectors: {len(section) - position:,} bytes too many at the end")
    return tuple(vectors)


def _entry(vector: GoldenVector) -> _Entry:
    inputs = {name: len(value) for name, value in vector.inputs.items()}
    outputs = {str(port): len(value) for port, value in vector.outputs.items()}
    return _Entry(inputs, outputs, vector.origin)


def _data(vector: GoldenVector) -> bytes:
    inputs = [value for _, value in sorted(vector.inputs.items())]
    outputs = [value for _, value in sorted(vector.outputs.items())]
    return b"".join(inputs + outputs)


def _header(section: bytes) -> tuple[_Header, int]:
    if len(section) < _LENGTH.size:
        raise ContainerError("golden vectors: cut short")
    (length,) = _LENGTH.unpack_from(section)
    end = _LENGTH.size + length
    if end > len(section):
        raise ContainerError("golden vectors: cut short")
    try:
        return codec.decode(_Header, codec.parse(section[_LENGTH.size : end])), end
    except ContainerError as error:
        raise ContainerError(f"golden vectors: {error.message}") from None


def _vector(entry: _Entry, section: bytes, position: int) -> tuple[GoldenVector, int]:
    inputs: dict[str, bytes] = {}
    outputs: dict[int, bytes] = {}
    for name, size in sorted(entry.inputs.items()):
        inputs[name], position = _take(section, position, size)
    for port, size in sorted((_port(text), size) for text, size in entry.outputs.items()):
        outputs[port], position = _take(section, position, size)
    return GoldenVector(inputs, outputs, entry.origin), position


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and str(int(text)) == text):
        raise ContainerError(f"an output has the number {text[:40]!r}")
    return int(text)


def _take(section: bytes, position: int, size: int) -> tuple[bytes, int]:
    if not 0 <= size <= len(section) - position:
        raise ContainerError(f"a value of {size:,} bytes where {len(section) - position:,} are left")
    return section[position : position + size], position + size


def _check(vector: GoldenVector, manifest: Manifest) -> None:
    capabilities = manifest.of_kind(StageKind.CAPABILITY)
    _check_sizes("input", vector.inputs, {stage.name: stage.outputs[0].bytes for stage in capabilities})
    outputs = {str(port): kind.bytes for port, kind in manifest.output_types.items()}
    _check_sizes("output", {str(port): value for port, value in vector.outputs.items()}, outputs)


def _check_sizes(what: str, values: Mapping[str, bytes], sizes: Mapping[str, int]) -> None:
    for name in sorted(values.keys() | sizes.keys()):
        if name not in sizes:
            raise ContainerError(f"the pipeline has no {what} {name!r}")
        if name not in values:
            raise ContainerError(f"the {what} {name!r} is missing")
        if len(values[name]) != sizes[name]:
            raise ContainerError(
                f"the {what} {name!r} has {len(values[name]):,} bytes, the pipeline takes {sizes[name]:,}"
            )
