"""What a container says of itself: the `rune.manifest` section, canonical JSON.

The dataclasses below are the format.  `Manifest.to_json` writes it in its one canonical form (keys sorted,
no spaces, UTF-8), `Manifest.from_json` reads it back and refuses whatever is not exactly that shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from container.abi import Profile
from container.tensors import TensorType

Argument: TypeAlias = "bool | int | float | str | tuple[Argument, ...]"


class StageKind(StrEnum):
    CAPABILITY = "capability"
    PROC_BLOCK = "proc-block"
    MODEL = "model"
    OUT = "out"


@dataclass(frozen=True)
class OutputReference:
    """One output of one stage, by name and number."""

    stage: str
    output: int


@dataclass(frozen=True)
class StageRecord:
    """One stage.  `target` is the capability's kind, the proc block's name, the model's file or the output's kind.

    A capability has one output and its `port` is the `source` number it passes to `read`.  An OUT stage has
    inputs only, and passes `port + k` to `write` for its k-th input.
    """

    name: str
    kind: StageKind
    target: str
    inputs: tuple[OutputReference, ...] = ()
    input_types: tuple[TensorType, ...] = ()
    outputs: tuple[TensorType, ...] = ()
    output_names: tuple[str, ...] = ()
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    port: int | None = None


@dataclass(frozen=True)
class ModelRecord:
    """Where the weights of a model stage came from."""

    stage: str
    file: str
    format: str
    sha256: str
    bytes: int
    licence: str | None = None


@dataclass(frozen=True)
class OperatorRecord:
    """One step of the straight-line `run`, in the order of execution."""

    name: str
    stage: str
    macs: int
    """Multiply-accumulates; 0 where the notion makes no sense."""
    arena_bytes: int
    """End of the last byte of the arena that is alive while it runs."""


@dataclass(frozen=True)
class MemoryPlan:
    """Where the linear memory of one profile's module goes; all sizes in bytes."""

    linear_memory: int
    read_only: int
    """Weights and tables."""
    arena: int
    """Activations, which share one block of memory."""
    stack: int
    progress: int
    """Address of the cell that holds the number of the operator at work."""
    operators: tuple[OperatorRecord, ...]


@dataclass(frozen=True)
class Manifest:
    abi: int
    name: str
    stages: tuple[StageRecord, ...]
    models: tuple[ModelRecord, ...]
    plans: Mapping[Profile, MemoryPlan]
    tools: Mapping[str, str]
    """Name of each tool and its version, `rune` included."""
    golden_engines: tuple[str, ...] = ()
    """The independent engines that computed the golden vectors; empty when none are sealed."""
