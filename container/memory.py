"""What lies where in a container's arena, and when: the blocks of a memory plan with their names.

Time is counted in steps: the operators of the plan, in their order.  A block takes its bytes from the
beginning of its first step to the end of its last.  Where a step computes its result in the place of what it
reads, that step is the last of one block and the first of the other, and their addresses overlap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from container.manifest import MemoryPlan


@dataclass(frozen=True)
class Block:
    """A tensor or a workspace."""

    name: str
    """Of the operator that computes it, with the number of the result where it has several."""
    stage: str
    """To which that operator belongs."""
    offset: int
    """Of its first byte in the arena."""
    bytes: int
    first: int
    """Number of the operator that computes it."""
    last: int
    """Number of the last operator that touches it."""

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + self.bytes

    @property
    def is_workspace(self) -> bool:
        """Whether one operator alone has it."""
        return self.first == self.last


@dataclass(frozen=True)
class Peak:
    """The step that needs the most memory."""

    step: int
    bytes: int
    """End of the last byte that is in use."""
    live_bytes: int
    """Bytes in use: less than `bytes` where there are gaps between the blocks."""


def blocks(plan: MemoryPlan) -> tuple[Block, ...]:
    """The blocks of a plan; none where the container is of before plans had them."""
    results: dict[int, int] = defaultdict(int)
    found = []
    for offset, size, first, last in plan.blocks:
        operator = plan.operators[first]
        name = operator.stage if operator.name == "read" else operator.name
        if first == last:
            name = f"{name} (workspace)"
        else:
            name = f"{name}:{results[first]}" if results[first] else name
            results[first] += 1
        found.append(Block(name, operator.stage, offset, size, first, last))
    return tuple(found)


def predecessors(found: Sequence[Block]) -> list[Block | None]:
    """For each block the one in whose place it begins, if there is one."""
    ending: dict[int, list[Block]] = defaultdict(list)
    for block in sorted(found, key=lambda block: block.offset):
        if not block.is_workspace:
            ending[block.last].append(block)
    by_step = {step: _Ending(those) for step, those in ending.items()}
    nothing = _Ending([])
    return [None if b.is_workspace else by_step.get(b.first, nothing).sharing_with(b) for b in found]


class _Ending:
    """The blocks that end with one step, by offset; finds one of them that shares bytes with another."""

    def __init__(self, found: Sequence[Block]) -> None:
        self._offsets = [block.offset for block in found]
        self._highest = list(accumulate(found, _higher))

    def sharing_with(self, block: Block) -> Block | None:
        """Of those that begin below its end, the one that ends highest, where that is above its beginning."""
        count = bisect_left(self._offsets, block.end)
        highest = self._highest[count - 1] if count else None
        return highest if highest is not None and highest.end > block.offset else None


def _higher(one: Block, other: Block) -> Block:
    return one if one.end >= other.end else other


def peak(plan: MemoryPlan) -> Peak | None:
    """The step that needs the most: of those that reach as high, the first with the most bytes in use.

    None for a plan without steps.
    """
    if not plan.operators:
        return None
    live = _live_bytes(plan)
    step = max(range(len(live)), key=lambda number: (plan.operators[number].arena_bytes, live[number]))
    return Peak(step, plan.operators[step].arena_bytes, live[step])


def _live_bytes(plan: MemoryPlan) -> list[int]:
    """By step.  Bytes that one block hands over to another within a step count once."""
    found = blocks(plan)
    shared, changes = [0] * len(plan.operators), [0] * (len(plan.operators) + 1)
    for block, before in zip(found, predecessors(found), strict=True):
        changes[block.first] += block.bytes
        changes[block.last + 1] -= block.bytes
        if before is not None:
            shared[block.first] += min(block.end, before.end) - max(block.offset, before.offset)
    return [alive - twice for alive, twice in zip(accumulate(changes), shared, strict=False)]
