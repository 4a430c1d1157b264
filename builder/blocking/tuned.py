"""Blockings that were found by counting, as a data file.

JSON, a layer a line: its shape, what was chosen for it, and the instructions that it saved of an inference.
The same file gives the same container wherever it is built.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from builder.blocking.chosen import Choice, Layer
from builder.blocking.shapes import Blocking, Convolution, Planes, Strips
from container import codec
from container.errors import ContainerError, UsageError
from container.files import read_bounded
from container.manifest import Optimization

SCHEMA = 1
"""Version of the file."""
MAXIMUM_BYTES = 4 << 20
MAXIMUM_ENTRIES = 10_000
MAXIMUM_SIZE = 1 << 24
"""Of whatever a shape counts."""
HINT = "make it anew with `rune tune`"

_LISTS = ("convolutions", "depthwise")


@dataclass(frozen=True)
class TunedConvolution:
    """A convolution or fully connected layer, and what was found for it."""

    layer: Convolution
    choice: Blocking
    saved: int
    """Instructions of an inference, against the choice of the cost model."""


@dataclass(frozen=True)
class TunedDepthwise:
    """A depthwise convolution, and what was found for it."""

    layer: Planes
    choice: Strips
    saved: int


Entry: TypeAlias = TunedConvolution | TunedDepthwise


@dataclass(frozen=True)
class Tuning:
    """What a search found for a pipeline on a board."""

    schema: int
    pipeline: str
    board: str
    core: str
    optimization: Optimization
    tools: Mapping[str, str]
    """Versions of what compiled the containers that were counted."""
    untuned: int
    """Instructions of an inference with the choices of the cost model."""
    instructions: int
    """The same with those below."""
    convolutions: tuple[TunedConvolution, ...] = ()
    depthwise: tuple[TunedDepthwise, ...] = ()

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Each with its place in the file."""
        yield from ((f"convolutions[{number}]", entry) for number, entry in enumerate(self.convolutions))
        yield from ((f"depthwise[{number}]", entry) for number, entry in enumerate(self.depthwise))

    @property
    def choices(self) -> dict[Layer, Choice]:
        """What was found for each shape."""
        return {entry.layer: entry.choice for _, entry in self.entries()}

    def to_json(self) -> bytes:
        """The file; the same bytes for the same tuning."""
        names = [field.name for field in dataclasses.fields(self)]
        lines = [f'"{name}":{_text(getattr(self, name))}' for name in names if name not in _LISTS]
        for name in _LISTS:
            entries = ",\n  ".join(_text(entry) for entry in getattr(self, name))
            lines.append(f'"{name}":[\n  {entries}]' if entries else f'"{name}":[]')
        return ("{" + ",\n ".join(lines) + "}\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> Tuning:
        """Reads the file.  Raises ContainerError that begins with the place of what is wrong."""
        tuning = codec.decode(cls, codec.parse(data))
        if tuning.schema != SCHEMA:
            raise ContainerError(f"schema: {tuning.schema}, expected {SCHEMA}")
        if len(tuning.convolutions) + len(tuning.depthwise) > MAXIMUM_ENTRIES:
            raise ContainerError(f"more than {MAXIMUM_ENTRIES:,} layers")
        _check(tuning)
        return tuning


def _text(value: object) -> str:
    return codec.encode(value).decode()


def _check(tuning: Tuning) -> None:
    """Raises ContainerError for a layer that cannot be or is there twice, or a choice that it cannot have."""
    places: dict[Layer, str] = {}
    for place, entry in tuning.entries():
        _check_sizes(f"{place}.layer", entry.layer)
        fault = _fault(entry)
        if fault is not None:
            raise ContainerError(f"{place}.choice.{fault}")
        other = places.setdefault(entry.layer, place)
        if other != place:
            raise ContainerError(f"{place}: has the layer of {other}")


def _check_sizes(place: str, layer: Layer) -> None:
    for name, size in dataclasses.asdict(layer).items():
        if not 0 < size <= MAXIMUM_SIZE and not isinstance(size, bool):
            raise ContainerError(f"{place}.{name}: {size}, expected 1 to {MAXIMUM_SIZE:,}")


def _fault(entry: Entry) -> str | None:
    if isinstance(entry, TunedConvolution):
        return entry.layer.fault(entry.choice)
    return entry.layer.fault(entry.choice)


def read_tuning(file: Path) -> Tuning:
    """A file of `rune tune`.  Raises UsageError that names it and the place of what is wrong."""
    data = read_bounded(file, MAXIMUM_BYTES)
    try:
        return Tuning.from_json(data)
    except ContainerError as error:
        raise UsageError(f"{file}: {error.message}", hint=HINT) from None
