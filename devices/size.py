"""What a container takes of flash and RAM, by named part and by stage, and whether a board has that much.

On a board the weights and tables of a container stay in flash; the rest of its linear memory, and a stack
for its machine code, are its RAM.  Before anything is compiled, the memory plan alone says the least that
both can be (`least`); once it is compiled, the image says it exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from container.abi import Profile
from container.errors import BudgetError, ContainerError
from container.manifest import Manifest, MemoryPlan
from container.sections import Container
from devices.board import Board, boards

WEIGHTS = "weights and tables"
STACK = "stack"
"""Of the machine code; the parts of the linear memory follow it."""
_NULL_BYTES = 16
"""What the linker leaves free below the first constant; it stays in flash as they do."""


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
class ProfileSize:
    """The module of one profile."""

    profile: Profile
    module: int
    """Bytes in the file."""
    linear_memory: int
    parts: tuple[Part, ...]
    """Of the linear memory; they add up to it."""
    stages: tuple[StageSize, ...]


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


@dataclass(frozen=True)
class BoardSize:
    """A container on one board."""

    board: Board
    need: Need
    agent: Need | None
    """What the agent takes of the parts that are kept for it; None where there is no agent."""


@dataclass(frozen=True)
class SizeReport:
    """Everything that `rune size` tells."""

    name: str
    file: tuple[Part, ...]
    profiles: tuple[ProfileSize, ...]
    board: BoardSize | None


def report(container: Container, board: Board | None = None) -> SizeReport:
    """What a container takes, on its own and, compiled for it, of a board.

    Raises ContainerError for a container that the board cannot take, CompileError without a compiler for the
    board.  One that does not fit is reported as others are.
    """
    on_board = None if board is None else BoardSize(board, measure(container, board), agent_need(board))
    return SizeReport(container.manifest.name, file_parts(container), profile_sizes(container), on_board)


def profile_sizes(container: Container) -> tuple[ProfileSize, ...]:
    """Each profile's module and memory."""
    plans = container.manifest.plans
    return tuple(_profile_size(profile, len(container.modules[profile]), plans[profile]) for profile in plans)


def _profile_size(profile: Profile, module: int, plan: MemoryPlan) -> ProfileSize:
    return ProfileSize(profile, module, plan.linear_memory, linear_memory_parts(plan), stage_sizes(plan))


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


def file_parts(container: Container) -> tuple[Part, ...]:
    """What the file holds, without the few bytes that frame its sections."""
    modules = [Part(f"module of the profile {name}", len(code)) for name, code in container.modules.items()]
    manifest = Part("manifest", len(container.manifest.to_json()))
    golden = [] if container.golden is None else [Part("golden vectors", len(container.golden))]
    return (*modules, manifest, *golden)


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


def fit(container: Container, board: Board) -> Need:
    """Compile a container for a board, and say what its image takes there.

    Raises NoRoomError where that is too much, and before anything is compiled where the plan alone is;
    ContainerError for a container that boards cannot take, RuneError without a compiler for this one.
    """
    check_fits(container, board)
    if board.has_agent:
        from devices.aot.build import build_image

        return build_image(container, board).need(board, board_plan(container.manifest))
    from devices.avr.build import build_avr_image

    return build_avr_image(container, board).need


def measure(container: Container, board: Board) -> Need:
    """What a container takes of a board, whether that fits or not.  Raises as `fit` does for all else."""
    try:
        return fit(container, board)
    except NoRoomError as error:
        return error.need


def agent_need(board: Board) -> Need | None:
    """What the agent takes of what is kept for it; None for a board without one."""
    flash, ram = board.flash.agent, board.ram.agent
    if flash is None or ram is None:
        return None
    from devices.firmware.build import build_agent

    agent = build_agent(board)
    variables = agent.ram_bytes - agent.stack_bytes
    return Need(
        Memory((Part("code and constants", agent.flash_bytes),), flash.size),
        Memory((Part("stack", agent.stack_bytes), Part("variables", variables)), ram.size),
    )


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
    return f"{choose}, or a smaller {smaller}"


def _would_fit(manifest: Manifest, board: Board, need: Need) -> bool:
    """Whether another board has room for as much; its own code may differ a little."""
    plan = least(manifest, board)
    used: Sequence[tuple[int, int]] = (
        (max(need.ram.used, plan.ram.used), board.ram.container.size),
        (max(need.flash.used, plan.flash.used), board.flash.slots[0].size),
    )
    return all(bytes_ <= available for bytes_, available in used)
