"""The sizes of a container, by named part and by stage: on its own, and compiled for a board."""

from __future__ import annotations

from dataclasses import dataclass

from container.abi import Profile
from container.manifest import MemoryPlan, Optimization, PatchRecord
from container.sections import Container
from devices.board import Board
from devices.budget import (
    Memory,
    Need,
    NoRoomError,
    Part,
    StageSize,
    board_plan,
    check_fits,
    linear_memory_parts,
    stage_sizes,
)


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
    plan: MemoryPlan


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
    optimization: Optimization
    """What the container was built for."""
    file: tuple[Part, ...]
    profiles: tuple[ProfileSize, ...]
    board: BoardSize | None
    patches: PatchRecord | None = None
    """What of the work is done patch by patch to take less memory."""


def report(container: Container, board: Board | None = None) -> SizeReport:
    """What a container takes, on its own and, compiled for it, of a board.

    Raises ContainerError for a container that the board cannot take, CompileError without a compiler for the
    board.  One that does not fit is reported as others are.
    """
    on_board = None if board is None else BoardSize(board, measure(container, board), agent_need(board))
    manifest = container.manifest
    return SizeReport(
        manifest.name,
        manifest.optimization,
        file_parts(container),
        profile_sizes(container),
        on_board,
        manifest.patches,
    )


def profile_sizes(container: Container) -> tuple[ProfileSize, ...]:
    """Each profile's module and memory."""
    plans = container.manifest.plans
    return tuple(_profile_size(profile, len(container.modules[profile]), plans[profile]) for profile in plans)


def _profile_size(profile: Profile, module: int, plan: MemoryPlan) -> ProfileSize:
    parts = linear_memory_parts(plan)
    return ProfileSize(profile, module, plan.linear_memory, parts, stage_sizes(plan), plan)


def file_parts(container: Container) -> tuple[Part, ...]:
    """What the file holds, without the few bytes that frame its sections."""
    modules = [Part(f"module of the profile {name}", len(code)) for name, code in container.modules.items()]
    manifest = Part("manifest", len(container.manifest.to_json()))
    golden = [] if container.golden is None else [Part("golden vectors", len(container.golden))]
    return (*modules, manifest, *golden)


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
