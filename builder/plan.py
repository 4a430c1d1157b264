"""Where blocks lie: offsets in one arena, so that no two that are alive at once overlap.

One exception is proved (`Slide`): a result may begin on the bytes of what it is computed from.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

TRIALS = 200
"""Orders that are tried beyond the usual ones, at most."""
TRIAL_BLOCKS = 20_000
"""Blocks that these trials place in all, at most: part of a second's work."""
MOST_SEARCHED = 2000
"""Of more blocks than these one order alone is tried."""


@dataclass(frozen=True)
class Lifetime:
    """A block of memory and the steps, first and last included, during which it is needed."""

    bytes: int
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Slide:
    """What lets a result begin on the bytes of an argument that ends with the step which computes it: it
    begins `distance` bytes below the argument, or a multiple of `step` more."""

    distance: int
    """A multiple of `step`; negative where the result may begin behind the argument's first byte."""
    step: int = 1

    def aligned(self, alignment: int) -> Slide:
        """A narrower one, all of whose places are multiples of `alignment`."""
        step = math.lcm(self.step, alignment)
        return Slide(math.ceil(self.distance / step) * step, step)

    def allows(self, argument: int, result: int) -> bool:
        """Whether blocks at these offsets may overlap."""
        slack = argument - self.distance - result
        return slack >= 0 and slack % self.step == 0


@dataclass(frozen=True)
class Placement:
    offsets: Mapping[int, int]
    """Offset of each block, by its key."""
    bytes: int
    """Size of the arena."""


def place(
    lifetimes: Mapping[int, Lifetime], alignment: int, slides: Mapping[tuple[int, int], Slide] | None = None
) -> Placement:
    """Offsets of blocks by key; `slides` are by the keys of argument and result.

    Each block in turn takes the lowest place that is free while it lives.  "Largest first" is within a few
    percent of the optimum on networks (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
    Inference", 2020, section 5), but results that begin below their arguments want the last ones first; so a
    few orders are tried, then others near the best of them, the same each time.
    """
    plain = _Planner(lifetimes, alignment, {})
    usual = plain.placed(plain.usual_orders()[0])
    if len(lifetimes) > MOST_SEARCHED:
        return usual
    return min(usual, _searched(_Planner(lifetimes, alignment, slides or {})), key=lambda found: found.bytes)


def _searched(planner: _Planner) -> Placement:
    """The best placement that is found."""
    order = min(planner.usual_orders(), key=lambda order: planner.placed(order).bytes)
    best, least = planner.placed(order), planner.least_bytes()
    generator = random.Random(0)
    for _ in range(min(TRIALS, TRIAL_BLOCKS // max(len(order), 1))):
        if best.bytes <= least:
            break
        trial = _with_two_swapped(order, generator)
        found = planner.placed(trial)
        if found.bytes <= best.bytes:
            order, best = trial, found
    return best


def _with_two_swapped(order: Sequence[int], generator: random.Random) -> list[int]:
    # Of all of its methods `random` alone gives the same numbers in every version of Python.
    one, other = (int(generator.random() * len(order)) for _ in range(2))
    swapped = list(order)
    swapped[one], swapped[other] = swapped[other], swapped[one]
    return swapped


class _Planner:
    """Places blocks in any order; what does not depend on the order is found once."""

    def __init__(
        self, lifetimes: Mapping[int, Lifetime], alignment: int, slides: Mapping[tuple[int, int], Slide]
    ) -> None:
        self._lifetimes, self._alignment = lifetimes, alignment
        self._slides = {pair: slide.aligned(alignment) for pair, slide in slides.items()}
        self._neighbours = _neighbours(lifetimes)

    def usual_orders(self) -> list[list[int]]:
        """Largest first, with the first or the last first of those that are as large; and the last first."""
        lives = self._lifetimes
        return [
            sorted(lives, key=lambda key: (-lives[key].bytes, lives[key].first, key)),
            sorted(lives, key=lambda key: (-lives[key].bytes, -lives[key].first, key)),
            sorted(lives, key=lambda key: (-lives[key].last, -lives[key].bytes, key)),
        ]

    def least_bytes(self) -> int:
        """What no placement is below: what is alive in a step, without what results may lie upon."""
        changes: Counter[int] = Counter()
        for life in self._lifetimes.values():
            changes[life.first] += life.bytes
            changes[life.last + 1] -= life.bytes
        shared: Counter[int] = Counter()
        for argument, result in self._slides:
            both = self._lifetimes[argument].bytes, self._lifetimes[result].bytes
            shared[self._lifetimes[result].first] += min(both)
        steps = sorted(changes)
        alive = accumulate(changes[step] for step in steps)
        # A step in which something may be shared is one in which a result begins, and so among these.
        return max((bytes_ - shared[step] for step, bytes_ in zip(steps, alive, strict=True)), default=0)

    def placed(self, order: Sequence[int]) -> Placement:
        """Each block in turn at the lowest place that is free while it lives."""
        offsets: dict[int, int] = {}
        for key in order:
            offsets[key] = self._lowest(key, offsets)
        ends = (offsets[key] + self._lifetimes[key].bytes for key in offsets)
        return Placement(offsets, max(ends, default=0))

    def _lowest(self, key: int, offsets: Mapping[int, int]) -> int:
        taken = [other for other in self._neighbours[key] if other in offsets]
        sliding = [n for n in taken if (n, key) in self._slides or (key, n) in self._slides]
        fixed = sorted((offsets[n], offsets[n] + self._lifetimes[n].bytes) for n in taken if n not in sliding)
        position = 0
        for start, end in fixed:
            place = self._clear(key, position, sliding, offsets)
            if place + self._lifetimes[key].bytes <= start:
                return place
            position = max(position, self._aligned(end))
        return self._clear(key, position, sliding, offsets)

    def _clear(self, key: int, position: int, sliding: Sequence[int], offsets: Mapping[int, int]) -> int:
        """The lowest place, from a position on, that suits the blocks with which this one may share bytes."""
        moved = True
        while moved:
            moved = False
            for other in sliding:
                place = self._beside(key, position, other, offsets[other])
                moved = moved or place > position
                position = place
        return position

    def _beside(self, key: int, position: int, other: int, offset: int) -> int:
        """The same for one of those blocks."""
        if position + self._lifetimes[key].bytes <= offset:
            return position
        behind = max(position, self._aligned(offset + self._lifetimes[other].bytes))
        upon, below = self._slides.get((other, key)), self._slides.get((key, other))
        if upon is not None:
            place = position + (offset - upon.distance - position) % upon.step
            return place if place <= offset - upon.distance else behind
        assert below is not None
        base = max(position, offset + below.distance)
        return min(base + (offset + below.distance - base) % below.step, behind)

    def _aligned(self, place: int) -> int:
        return -(-place // self._alignment) * self._alignment


def _neighbours(lifetimes: Mapping[int, Lifetime]) -> dict[int, list[int]]:
    """For each block those that are alive in one of its steps."""
    found: dict[int, list[int]] = {key: [] for key in lifetimes}
    alive: list[int] = []
    for key in sorted(lifetimes, key=lambda key: lifetimes[key].first):
        alive = [other for other in alive if lifetimes[other].last >= lifetimes[key].first]
        for other in alive:
            found[key].append(other)
            found[other].append(key)
        alive.append(key)
    return found


def high_water(lifetimes: Mapping[int, Lifetime], placement: Placement, step: int) -> int:
    """End of the last byte that is in use during a step."""
    return max(
        (
            placement.offsets[key] + lifetime.bytes
            for key, lifetime in lifetimes.items()
            if lifetime.first <= step <= lifetime.last
        ),
        default=0,
    )
