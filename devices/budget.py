"""What a container takes of a board's flash and RAM, and whether the board has that much.

On a board the weights and tables of a container stay in flash; the rest of its linear memory, and a stack
for its machine code, are its RAM.  Before anything is compiled, the memory plan alone says the least that
both can be (`least`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from container.abi import Profile
from container.errors import BudgetError, ContainerError
from container.manifest import Manifest, MemoryPlan, Optimization
from container.sections import Container
from devices.board import Board, boards

WEIGHTS = "weights and tables"
STACK = "stack"
"""Of the machine code; the parts of the linear memory follow it."""
_NULL_BYTES = 16
"""What the linker leaves free below the first constant; it stays in flash as they do."""
_IMAGE_OPERATORS = ("conv", "pool")
"""Parts of the names of operators whose images can be computed in patches."""
_MOST_SAVED = 4
"""How many times the RAM of a board patches may be hoped to save."""
_LIKELY_STACK = 512
"""Bytes that the machine code of convolutions takes, before it is compiled."""


@dataclass(frozen=True)
class Part:
    """Something with a name that takes bytes."""

    name: str
    bytes: int


@dataclass(frozen=True)
class StageSize:
    """What one stage needs while it runs."""

    stage: str
    operators: int
    macs: int
    arena_bytes: int
    """The highest end of what is alive in the arena; stages run one after another and share it."""


@dataclass(frozen=True)
class Memory:
    """Flash or RAM of a board: what takes it, and how much of it a container may take."""

    parts: tuple[Part, ...]
    available: int

    @property
    def used(self) -> int:
        return sum(part.bytes for part in self.parts)

    @property
    def free(self) -> int:
        """Negative where it does not fit."""
        return self.available - self.used


@dataclass(frozen=True)
class Need:
    """What a container takes of a board."""

    flash: Memory
    ram: Memory
    at_least: bool = False
    """Whether it was not compiled, and may take more."""

    @property
    def fits(self) -> bool:
        return self.flash.free >= 0 and self.ram.free >= 0


class NoRoomError(BudgetError):
    """A board has no room for a container; `need` tells what it takes."""

    def __init__(self, message: str, *, hint: str, need: Need) -> None:
        super().__init__(message, hint=hint)
        self.need = need


def linear_memory_parts(plan: MemoryPlan) -> tuple[Part, ...]:
    """What the linear memory holds."""
    named = (
        Part(WEIGHTS, plan.read_only),
        Part("activations", plan.arena),
        Part("state between runs", plan.state),
        Part("stack of the WebAssembly code", plan.stack),
    )
    rest = plan.linear_memory - sum(part.bytes for part in named)
    return (*(part for part in named if part.bytes), Part("alignment and the rest", max(0, rest)))


def stage_sizes(plan: MemoryPlan) -> tuple[StageSize, ...]:
    """Each stage that does something, in the order in which they run."""
    by_stage = {
        stage: [operator for operator in plan.operators if operator.stage == stage]
        for stage in dict.fromkeys(operator.stage for operator in plan.operators)
    }
    return tuple(
        StageSize(
            stage,
            len(operators),
            sum(operator.macs for operator in operators),
            max(operator.arena_bytes for operator in operators),
        )
        for stage, operators in by_stage.items()
    )


def board_plan(manifest: Manifest) -> MemoryPlan:
    """The memory plan that counts on boards.  Raises ContainerError when there is none."""
    if Profile.MCU not in manifest.plans:
        raise ContainerError(
            f"{manifest.name!r} has no profile `mcu`, which boards run",
            hint="build it with `rune build --profile mcu`",
        )
    return manifest.plans[Profile.MCU]


def least(manifest: Manifest, board: Board) -> Need:
    """The least that a container takes of a board, by its memory plan alone.  Raises ContainerError."""
    plan = board_plan(manifest)
    flash = Memory((Part(WEIGHTS, plan.read_only),), board.flash.slots[0].size)
    return Need(flash, Memory(ram_parts(plan), board.ram.container.size), at_least=True)


def ram_parts(plan: MemoryPlan) -> tuple[Part, ...]:
    """What of the linear memory lies in a board's RAM: all that follows the constants."""
    *named, rest = linear_memory_parts(plan)
    if not plan.read_only:
        return (*named, rest)
    return (*named[1:], Part(rest.name, max(0, rest.bytes - _NULL_BYTES)))


def check_fits(container: Container, board: Board, need: Need | None = None) -> None:
    """Refuse a container that a board has no room for.

    `need` is what its image takes; before there is an image the memory plan alone speaks, which lets pass
    some that the image will not.  Raises NoRoomError that names the largest stage and what would help,
    ContainerError without a profile for boards.
    """
    manifest = container.manifest
    found = need or least(manifest, board)
    needs = "needs at least" if found.at_least else "needs"
    for kind, memory, smaller in (("RAM", found.ram, "input"), ("flash", found.flash, "model")):
        if memory.free < 0:
            message = (
                f"{manifest.name!r} does not fit {board.name}: it {needs} {memory.used:,} bytes of {kind}, "
                f"{memory.available:,} are there{_largest(manifest, kind)}"
            )
            raise NoRoomError(message, hint=_hint(manifest, found, smaller), need=found)


def _largest(manifest: Manifest, kind: str) -> str:
    """The stage that takes most of a kind of memory."""
    plan = board_plan(manifest)
    if kind == "RAM":
        taken = {stage.stage: stage.arena_bytes for stage in stage_sizes(plan)}
    else:
        taken = {model.stage: model.bytes for model in manifest.models}
    if not taken:
        return ""
    name = max(taken, key=taken.__getitem__)
    return f"; the largest stage is `{name}` with {taken[name]:,}{'' if kind == 'RAM' else ' in its model'}"


def _hint(manifest: Manifest, need: Need, smaller: str) -> str:
    roomy = [board.name for board in boards() if _would_fit(manifest, board, need)]
    choose = f"choose a board with more ({', '.join(roomy)})" if roomy else "no board that is known has more"
    advice = f"{choose}, or a smaller {smaller}"
    if manifest.optimization is Optimization.SPEED:
        advice += "; or build without `--optimize speed`, which takes memory where it saves time"
    within = _ram_for_patches(manifest, need) if smaller == "input" else 0
    if not within:
        return advice
    return f"{advice}; or build with `--max-ram {within}`: it computes the first layers in patches"


def _ram_for_patches(manifest: Manifest, need: Need) -> int:
    """What `rune build --max-ram` is to be told for a container to fit; 0 where patches seem of no use."""
    operators = board_plan(manifest).operators
    largest = max(operators, key=lambda operator: operator.arena_bytes, default=None)
    if largest is None or not any(kind in largest.name for kind in _IMAGE_OPERATORS):
        return 0
    if need.ram.used > _MOST_SAVED * need.ram.available:
        return 0
    stack = sum(part.bytes for part in need.ram.parts if part.name == STACK)
    return max(0, need.ram.available - (_LIKELY_STACK if need.at_least else stack))


def _would_fit(manifest: Manifest, board: Board, need: Need) -> bool:
    """Whether another board has room for as much; its own code may differ a little."""
    plan = least(manifest, board)
    used: Sequence[tuple[int, int]] = (
        (max(need.ram.used, plan.ram.used), board.ram.container.size),
        (max(need.flash.used, plan.flash.used), board.flash.slots[0].size),
    )
    return all(bytes_ <= available for bytes_, available in used)
