"""What a container says of itself: the `rune.manifest` section, canonical JSON.

The dataclasses below are the format.  `Manifest.to_json` writes it in its one canonical form (keys sorted,
no spaces, UTF-8, no field that holds its default); `Manifest.from_json` reads it back, refuses what is
missing, of a wrong type or at odds with the rest, and ignores keys it does not know: within one ABI version
a later tool may add facts, and what changes a meaning raises `abi`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from container import codec
from container.abi import ABI_VERSION, MAXIMUM_MEMORY_BYTES, PROGRESS_BYTES, Profile
from container.errors import ContainerError
from container.tensors import ElementType, Quantization, TensorType

MAXIMUM_MANIFEST_BYTES = 2 << 20
"""The largest manifest that is read."""
MAXIMUM_BLOCKS = 1 << 16
"""The most blocks that a memory plan may have."""
BLOCK_NUMBERS = 4
"""Of a block of the memory plan: offset, bytes, first and last operator."""
MAXIMUM_RANK = 16
"""The most dimensions a tensor may have."""
MAXIMUM_PATCHES = 32
"""More cost much work for little memory."""

Argument: TypeAlias = "bool | int | float | str | tuple[Argument, ...]"


class StageKind(StrEnum):
    CAPABILITY = "capability"
    PROC_BLOCK = "proc-block"
    MODEL = "model"
    OUT = "out"


class Optimization(StrEnum):
    """What code was made for where a kernel or a compiler has the choice; answers are the same."""

    SPEED = "speed"
    """As fast as can be, with larger weights and code where that helps."""
    BALANCED = "balanced"
    """Fast code of moderate size."""
    SIZE = "size"
    """As little flash as can be."""

    @property
    def words(self) -> str:
        """For a sentence about the code."""
        balanced = self is Optimization.BALANCED
        return "balanced between speed and size" if balanced else f"optimized for {self}"


@dataclass(frozen=True)
class OutputReference:
    """One output of one stage, by name and number."""

    stage: str
    output: int


@dataclass(frozen=True)
class StageRecord:
    """One stage of the pipeline.

    `target` is the capability's kind, the proc block's name, the model's file or the output's kind.

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
class PatchRecord:
    """First layers that are computed patch by patch: band by band of rows of the last one's result."""

    count: int
    """Patches."""
    rows: int
    """Of the result in a patch; the last one may have fewer."""
    first: str
    """Name of the first of these operators."""
    last: str
    macs: int
    """Multiply-accumulates that patches do more than layers would, since they overlap; below zero where more
    is saved by leaving out rows that nothing depends on."""


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
    state: int = 0
    """Values that one run leaves to the next, outside of the arena."""
    blocks: tuple[tuple[int, ...], ...] = ()
    """The arena's blocks, in the order in which they begin: offset, bytes, and the numbers of the first and
    the last operator that touch it.  Empty in containers of before there was this; `container/memory.py`
    reads them."""

    @property
    def ram(self) -> int:
        """What is left of the linear memory beside weights and tables, which boards keep in flash."""
        return self.linear_memory - self.read_only

    @property
    def stage_starts(self) -> tuple[int, ...]:
        """The numbers of the operators with which another stage than before begins."""
        stages = [operator.stage for operator in self.operators]
        return tuple(n for n, stage in enumerate(stages) if n == 0 or stage != stages[n - 1])


LARGEST_GOLDEN_TOLERANCE = 0.05
"""A looser comparison would prove nothing."""


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
    golden_tolerance: float = 1e-5
    """How far a float may lie from its golden value, as a part of the largest value of its output."""
    optimization: Optimization = Optimization.BALANCED
    """What its code is made for, the machine code of boards included."""
    patches: PatchRecord | None = None
    """What of the work is done patch by patch, if any is; alike in all profiles."""

    def to_json(self) -> bytes:
        """The canonical JSON of the section.  Raises ContainerError for a number that is not finite."""
        return codec.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Read the section.  Raises ContainerError that names the place of the first fault."""
        try:
            if len(data) > MAXIMUM_MANIFEST_BYTES:
                raise ContainerError(f"has {len(data):,} bytes, more than {MAXIMUM_MANIFEST_BYTES:,}")
            value = codec.parse(data)
            _check_abi(value)
            manifest = codec.decode(cls, value)
            _check(manifest)
        except ContainerError as error:
            raise ContainerError(f"manifest: {error.message}", hint=error.hint) from None
        return manifest

    def stage(self, name: str) -> StageRecord:
        """The stage of that name.  Raises KeyError."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    def of_kind(self, kind: StageKind) -> tuple[StageRecord, ...]:
        """The stages of one kind, in order."""
        return tuple(stage for stage in self.stages if stage.kind is kind)

    @property
    def sources(self) -> dict[int, StageRecord]:
        """The capability behind each number that is passed to `read`."""
        return {stage.port or 0: stage for stage in self.of_kind(StageKind.CAPABILITY)}

    @property
    def output_types(self) -> dict[int, TensorType]:
        """The type behind each number that is passed to `write`."""
        return {
            (stage.port or 0) + number: kind
            for stage in self.of_kind(StageKind.OUT)
            for number, kind in enumerate(stage.input_types)
        }


def _check_abi(value: object) -> None:
    """Before anything else is looked at: another ABI may have another shape."""
    found = value.get("abi") if isinstance(value, dict) else None
    if isinstance(found, int) and found != ABI_VERSION:
        cure = "update Rune" if found > ABI_VERSION else "build the container again with `rune build`"
        raise ContainerError(
            f"the container has ABI version {found}, this Rune supports version {ABI_VERSION}", hint=cure
        )


def _check(manifest: Manifest) -> None:
    """Whatever types alone do not say.  Raises ContainerError at the first fault."""
    _check_name("name", manifest.name)
    known: dict[str, StageRecord] = {}
    for number, stage in enumerate(manifest.stages):
        path = f"stages[{number}]"
        _check_name(f"{path}.name", stage.name)
        _require(stage.name not in known, path, f"a second stage has the name {stage.name!r}")
        _check_types(path, stage)
        _check_inputs(path, stage, known)
        _check_ports(path, stage)
        known[stage.name] = stage
    _check_numbering(manifest)
    _check_models(manifest, known)
    _require(bool(manifest.plans), "plans", "there is none")
    for profile, plan in manifest.plans.items():
        _check_plan(f"plans.{profile}", plan, known)
    _check_patches("patches", manifest.patches)


def _require(condition: bool, path: str, message: str) -> None:
    if not condition:
        raise ContainerError(f"{path}: {message}")


def _check_name(path: str, name: str) -> None:
    _require(0 < len(name) <= 200 and name.isprintable(), path, "expected 1 to 200 printable characters")


def _check_types(path: str, stage: StageRecord) -> None:
    for side, kinds in (("input_types", stage.input_types), ("outputs", stage.outputs)):
        for number, kind in enumerate(kinds):
            _check_type(f"{path}.{side}[{number}]", kind)


def _check_type(path: str, kind: TensorType) -> None:
    _require(len(kind.shape) <= MAXIMUM_RANK, path, f"has more than {MAXIMUM_RANK} dimensions")
    _require(all(size >= 1 for size in kind.shape), path, "a dimension is smaller than 1")
    text = kind.element is ElementType.UTF8
    _require(kind.width is None or text, path, "only text has a width")
    _require(kind.width is None or kind.width >= 1, path, "the width is smaller than 1")
    _require(kind.bytes <= MAXIMUM_MEMORY_BYTES, path, f"takes more than {MAXIMUM_MEMORY_BYTES:,} bytes")
    if kind.quantization is not None:
        _check_quantization(f"{path}.quantization", kind.quantization, kind.shape)


def _check_quantization(path: str, quantization: Quantization, shape: tuple[int, ...]) -> None:
    axis, count = quantization.axis, len(quantization.scale)
    _require(axis is None or 0 <= axis < len(shape), path, "the axis is none of the tensor's")
    expected = 1 if axis is None else shape[axis]
    _require(count == expected, path, f"expected scales: {expected}, found {count}")
    _require(len(quantization.zero_point) == count, path, "there is not one zero point for each scale")


def _check_inputs(path: str, stage: StageRecord, known: Mapping[str, StageRecord]) -> None:
    _require(len(stage.input_types) == len(stage.inputs), path, "there is not one type for each input")
    named = len(stage.output_names)
    _require(named in (0, len(stage.outputs)), path, "there is not one name for each output")
    for number, reference in enumerate(stage.inputs):
        place = f"{path}.inputs[{number}]"
        _require(reference.stage in known, place, f"no stage before it has the name {reference.stage!r}")
        outputs = len(known[reference.stage].outputs)
        _require(
            0 <= reference.output < outputs, place, f"{reference.stage!r} has no output {reference.output}"
        )


def _check_ports(path: str, stage: StageRecord) -> None:
    _require(stage.port is None or 0 <= stage.port < 1 << 31, f"{path}.port", "is no port number")
    has_port = stage.kind in (StageKind.CAPABILITY, StageKind.OUT)
    _require(
        (stage.port is not None) == has_port,
        path,
        f"a {stage.kind} {'needs a' if has_port else 'has no'} port",
    )
    if stage.kind is StageKind.CAPABILITY:
        _require(
            not stage.inputs and len(stage.outputs) == 1, path, "a capability has one output and no input"
        )
        _check_width(path, stage.outputs)
    if stage.kind is StageKind.OUT:
        _require(not stage.outputs and bool(stage.inputs), path, "an output stage has inputs alone")
        _check_width(path, stage.input_types)


def _check_width(path: str, kinds: tuple[TensorType, ...]) -> None:
    """What crosses the ABI has a size."""
    for kind in kinds:
        _require(
            kind.element is not ElementType.UTF8 or kind.width is not None, path, "the text has no width"
        )


def _check_numbering(manifest: Manifest) -> None:
    _require(
        0 <= manifest.golden_tolerance <= LARGEST_GOLDEN_TOLERANCE,
        "golden_tolerance",
        f"is {manifest.golden_tolerance:g}, expected 0 to {LARGEST_GOLDEN_TOLERANCE:g}",
    )
    outputs = sum(len(stage.inputs) for stage in manifest.of_kind(StageKind.OUT))
    _require(len(manifest.output_types) == outputs, "stages", "two outputs have one port")
    capabilities = len(manifest.of_kind(StageKind.CAPABILITY))
    _require(len(manifest.sources) == capabilities, "stages", "two capabilities have one port")


def _check_models(manifest: Manifest, known: Mapping[str, StageRecord]) -> None:
    for number, model in enumerate(manifest.models):
        path = f"models[{number}]"
        stage = known.get(model.stage)
        _require(
            stage is not None and stage.kind is StageKind.MODEL, path, f"{model.stage!r} is no model stage"
        )
        digits = set("0123456789abcdef")
        _require(
            len(model.sha256) == 64 and digits.issuperset(model.sha256), f"{path}.sha256", "is no SHA-256"
        )
        _require(model.bytes >= 0, f"{path}.bytes", "is negative")


def _check_patches(path: str, patches: PatchRecord | None) -> None:
    if patches is None:
        return
    _check_name(f"{path}.first", patches.first)
    _check_name(f"{path}.last", patches.last)
    _require(2 <= patches.count <= MAXIMUM_PATCHES, f"{path}.count", f"expected 2 to {MAXIMUM_PATCHES}")
    _require(patches.rows >= 1, f"{path}.rows", "expected 1 or more")


def _check_plan(path: str, plan: MemoryPlan, known: Mapping[str, StageRecord]) -> None:
    sizes = ("linear_memory", "read_only", "arena", "stack", "progress", "state")
    for name in sizes:
        _require(0 <= getattr(plan, name) <= 1 << 32, f"{path}.{name}", "expected 0 to 2^32")
    _require(
        plan.progress + PROGRESS_BYTES <= plan.linear_memory, f"{path}.progress", "lies outside of the memory"
    )
    for number, operator in enumerate(plan.operators):
        place = f"{path}.operators[{number}]"
        _require(operator.stage in known, place, f"there is no stage {operator.stage!r}")
        _require(operator.macs >= 0 and operator.arena_bytes >= 0, place, "a size is negative")
    _check_blocks(f"{path}.blocks", plan)


def _check_blocks(path: str, plan: MemoryPlan) -> None:
    _require(len(plan.blocks) <= MAXIMUM_BLOCKS, path, f"there are more than {MAXIMUM_BLOCKS:,}")
    for number, block in enumerate(plan.blocks):
        place = f"{path}[{number}]"
        _require(len(block) == BLOCK_NUMBERS, place, f"expected {BLOCK_NUMBERS} numbers, found {len(block)}")
        offset, size, first, last = block
        _require(offset >= 0 and size >= 0, place, "a size is negative")
        _require(offset + size <= plan.arena, place, f"ends behind the arena of {plan.arena:,} bytes")
        _require(0 <= first <= last < len(plan.operators), place, "does not live while operators run")
