"""What is common to both pictures of a memory plan, in a terminal and as an SVG file.

Time runs to the right, a step for each operator; addresses run up.  A block is a rectangle of the steps
during which it is needed and the bytes that it takes.  Where a step computes its result in the place of what
it reads, the one rectangle ends and the other begins in the middle of that step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from container.abi import Profile
from container.errors import ContainerError
from container.manifest import MemoryPlan
from container.memory import Block, Peak, blocks, peak, predecessors


@dataclass(frozen=True)
class Box:
    """A block as a rectangle: in steps to the right and in bytes up."""

    block: Block
    stage: int
    """Number of its stage among those that do something."""
    left: float
    right: float
    over: Block | None
    """The one in whose place it begins."""


@dataclass(frozen=True)
class Timeline:
    """A memory plan as a picture without a size."""

    profile: Profile
    arena: int
    steps: int
    stages: tuple[str, ...]
    """Those that do something, in the order in which they begin."""
    borders: tuple[tuple[int, str], ...]
    """The steps with which another stage begins, and its name."""
    boxes: tuple[Box, ...]
    peak: Peak
    peak_operator: str
    peak_stage: str

    @property
    def summary(self) -> str:
        """One sentence about the peak."""
        where = f"at step {self.peak.step}, {self.peak_operator} of {self.peak_stage}"
        return f"{self.arena:,} bytes, needed {where}, where {self.peak.live_bytes:,} are in use"


def timeline(profile: Profile, plan: MemoryPlan) -> Timeline:
    """The picture of a profile's plan.  Raises ContainerError for a container whose plan has no blocks."""
    found, highest = blocks(plan), peak(plan)
    if not found or highest is None:
        raise ContainerError(
            f"the memory plan of the profile `{profile}` does not tell where its tensors lie",
            hint="the container is of an older Rune: build it again with `rune build`",
        )
    stages = tuple(dict.fromkeys(operator.stage for operator in plan.operators))
    operator = plan.operators[highest.step]
    return Timeline(
        profile,
        plan.arena,
        len(plan.operators),
        stages,
        tuple((step, plan.operators[step].stage) for step in plan.stage_starts),
        _boxes(found, {stage: number for number, stage in enumerate(stages)}),
        highest,
        operator.name,
        operator.stage,
    )


def _boxes(found: Sequence[Block], stages: Mapping[str, int]) -> tuple[Box, ...]:
    over = predecessors(found)
    replaced = {block for block in over if block is not None}
    return tuple(
        Box(
            block,
            stages[block.stage],
            block.first + (0 if before is None else 0.5),
            block.last + (0.5 if block in replaced else 1),
            before,
        )
        for block, before in zip(found, over, strict=True)
    )
