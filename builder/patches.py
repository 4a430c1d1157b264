"""Which first layers to compute patch by patch, and in how many patches: a search over memory plans.

Every region (`builder/passes/patches.py`) in every number of bands is a candidate.  What is alive at once, by
the sizes of tensors alone, sorts them; of the first few the memory is planned in earnest, and so the choice
is exact where it matters and the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from builder.liveness import Lives, Step, peak_bytes
from builder.names import operator_name
from builder.operators.base import shape_of
from builder.passes.patches import Region, Spans, compute_in_patches, regions, row_bytes
from builder.target import Target
from container.errors import BudgetError, UsageError
from container.manifest import MAXIMUM_PATCHES, PatchRecord

PLANNED = 8
"""Candidates whose memory is planned in earnest for one question."""
EQUAL = 20
"""Plans that differ by less than one part in so many need the same memory, for which less work decides."""

Measure: TypeAlias = Callable[[Any], int]
"""Bytes that a Relax module takes once it is compiled."""


@dataclass(frozen=True)
class PatchOptions:
    """How patches are asked for; without both, as many as need the least memory."""

    count: int | None = None
    max_ram: int | None = None
    """Bytes: as few patches as stay within them, and none where none are needed."""


@dataclass(frozen=True)
class Patching:
    """A region in bands, in the place of its layers."""

    region: Region
    record: PatchRecord
    arena: int
    """Bytes."""
    arena_before: int
    """Bytes, without patches."""

    def applied(self, module: Any, target: Target) -> Any:
        """The module that it was chosen for, in patches, as it is lowered for a target."""
        return compute_in_patches(module, self.region, self.record.rows, target)


@dataclass(frozen=True)
class _Candidate:
    region: Region
    rows: int
    """Of a band of the region's result."""
    macs: int
    """More than without."""
    estimate: int
    """Bytes alive at once, by the sizes of tensors alone."""

    @property
    def patches(self) -> int:
        return -(-self.region.height // self.rows)


def choose(
    module: Any, options: PatchOptions, target: Target, arena: Measure, ram: Measure
) -> Patching | None:
    """The first layers of a module to compute in patches, as the options ask; None where none are better.

    `arena` plans a module's memory; `ram` compiles it, too, and gives what a board must have beside the
    weights.  Raises UsageError where patches are asked for that lower nothing, BudgetError where none stay
    within `max_ram`.
    """
    search = _Search(module, target, arena)
    if options.max_ram is not None:
        return _within(search, options.max_ram, ram)
    found = search.least(options.count)
    if found is None and options.count is not None:
        raise UsageError(
            search.refusal(options.count), hint="build without patches, or with `--patches auto`"
        )
    return found


def _within(search: _Search, max_ram: int, ram: Measure) -> Patching | None:
    """The least work that stays within so many bytes of RAM."""
    needed = ram(search.module)
    if needed <= max_ram:
        return None
    # Stack and alignment hardly change, but what they take is known of a compiled module alone.
    rest, least = needed - search.before, needed
    for patching in search.by_work(max_ram - rest):
        found = ram(search.patched(patching))
        if found <= max_ram:
            return patching
        least = min(least, found)
    raise BudgetError(
        f"the container needs {least:,} bytes of RAM with its first layers in patches "
        f"and {needed:,} without, {max_ram:,} are allowed",
        hint="use a smaller input or a smaller model, or allow more",
    )


class _Search:
    def __init__(self, module: Any, target: Target, arena: Measure) -> None:
        self.module = module
        self._target = target
        self.before = arena(module)
        """Bytes of the arena without patches."""
        self._arena = arena
        self._candidates = sorted(_candidates(module), key=lambda found: (found.estimate, found.macs))

    def least(self, count: int | None) -> Patching | None:
        """The least memory, in a number of patches if one is given; None where nothing is gained."""
        wanted = [found for found in self._candidates if count in (None, found.patches)][:PLANNED]
        plans = [plan for plan in map(self._planned, wanted) if plan.arena < self.before]
        if not plans:
            return None
        least = min(plan.arena for plan in plans)
        equal = [plan for plan in plans if plan.arena <= least + least // EQUAL]
        return min(equal, key=lambda plan: (plan.record.macs, plan.arena))

    def by_work(self, most: int) -> Iterator[Patching]:
        """Plans of at most so many bytes, the least work first; then the least memory, whatever it is."""
        wanted = sorted(self._candidates, key=lambda found: (found.macs, found.estimate))
        close = [found for found in wanted if found.estimate <= most][: 2 * PLANNED]
        plans = map(self._planned, close)
        yield from (plan for plan in plans if plan.arena <= most)
        least = self.least(None)
        if least is not None:
            yield least

    def refusal(self, count: int) -> str:
        """Why there are no patches."""
        if not self._candidates:
            return "there are no first layers to compute in patches: no chain of convolutions on an image"
        counts = sorted({found.patches for found in self._candidates})
        if count not in counts:
            return (
                f"the rows of no layer part into {count} patches; into {', '.join(map(str, counts))} some do"
            )
        return f"{count} patches need no less memory than none: {self.before:,} bytes of activations"

    def patched(self, patching: Patching) -> Any:
        """The module in these patches."""
        return patching.applied(self.module, self._target)

    def _planned(self, candidate: _Candidate) -> Patching:
        module = compute_in_patches(self.module, candidate.region, candidate.rows, self._target)
        layers = candidate.region.layers
        record = PatchRecord(
            count=candidate.patches,
            rows=candidate.rows,
            first=operator_name(layers[0].variable.name),
            last=operator_name(layers[-1].variable.name),
            macs=candidate.macs,
        )
        return Patching(candidate.region, record, self._arena(module), self.before)


def _candidates(module: Any) -> Iterator[_Candidate]:
    lives = _Bands(module)
    for region in regions(module):
        heights = {-(-region.height // count) for count in range(2, min(region.height, MAXIMUM_PATCHES) + 1)}
        whole = sum(layer.macs_of_row * shape_of(layer.variable)[1] for layer in region.layers)
        for rows in sorted(heights, reverse=True):
            if region.fits(rows):
                yield _Candidate(region, rows, region.macs(rows) - whole, lives.banded_peak(region, rows))


class _Bands(Lives):
    """The same with a region in bands."""

    def banded_peak(self, region: Region, rows: int) -> int:
        """The most bytes that are alive at once, with a region in bands of so many rows."""
        layers = {layer.variable for layer in region.layers}
        sizes: dict[Hashable, int] = dict(self.sizes)
        steps: list[Step] = []
        for variable, step in self.steps:
            if variable == region.layers[-1].variable:
                for number, spans in enumerate(region.spans(rows) or []):
                    steps += self._band(region, number, spans, sizes)
            elif variable not in layers:
                steps.append(step)
        return peak_bytes([*steps, self.results], sizes)

    def _band(self, region: Region, number: int, spans: Spans, sizes: dict[Hashable, int]) -> Iterator[Step]:
        whole = {region.source: self.roots.get(region.source, region.source)}
        whole[region.layers[-1].variable] = region.layers[-1].variable
        for layer in region.layers:
            names = [whole.get(image, (image, number)) for image in (*layer.sources, layer.variable)]
            if layer.variable not in whole:
                sizes[layer.variable, number] = spans[layer.variable].rows * row_bytes(layer.variable)
            yield names
