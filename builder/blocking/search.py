"""Search for blockings: a pipeline is built with one choice after the other, and instructions are counted.

Layer by layer, those with the most instructions first, the choices that the cost model likes best are tried,
and what saves instructions of the whole inference is kept: nothing gets slower, whatever compilers make of a
kernel beside others.  The same pipeline, tools and core give the same result.  Counts are kept in the cache
under all that they depend on, so that a search goes on where another was ended.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter as Counts
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from builder.assemble import assemble
from builder.blocking.chosen import Choice, Chosen, Layer
from builder.blocking.cost import CANDIDATES, CostModel, instructions
from builder.blocking.shapes import Blocking, Blockings, Convolution, Planes, Strips
from builder.blocking.tuned import SCHEMA, TunedConvolution, TunedDepthwise, Tuning
from builder.blocks.base import block_sources
from builder.build import emit_target, graph_passes, link_target, manifest_of, tool_versions
from builder.emit import Unit
from builder.shrinking import shrink
from builder.target import Target
from builder.toolchain import sources_digest
from container.abi import Profile
from container.cache import cached
from container.errors import BudgetError, RuneError
from container.manifest import Optimization
from container.sections import seal
from runefile.pipeline import TypedPipeline

SMALLEST_SHARE = 0.002
"""Layers with a smaller part of the instructions are left to the cost model."""


class Counter(Protocol):
    """Counts the instructions of containers: an emulated board does."""

    @property
    def board(self) -> str:
        """Its name."""

    @property
    def core(self) -> str:
        """The name of its core."""

    @property
    def tools(self) -> Mapping[str, str]:
        """Versions and digests of all that counts depend on beside the container."""

    def count(self, container: bytes) -> int:
        """Instructions of one inference, the same each time.  Raises what makes a search impossible."""


@dataclass(frozen=True)
class Step:
    """A choice that was counted."""

    number: int
    """From 1 on; the choices of the cost model are the first."""
    steps: int
    """The most there can be."""
    instructions: int
    """Of an inference with the best choices until now."""


def search(
    pipeline: TypedPipeline,
    counter: Counter,
    *,
    optimization: Optimization = Optimization.BALANCED,
    candidates: int = CANDIDATES,
    end_s: float = math.inf,
    progress: Callable[[Step], None] = lambda step: None,
) -> Tuning:
    """What saves the most instructions of an inference, of `candidates` choices for each layer.

    After `end_s`, a time of `time.monotonic`, what was found until then is given.  Raises CompileError, and
    what `counter` raises.
    """
    trials = _Trials(pipeline, counter, optimization)
    model = CostModel(optimization)
    first = Chosen({}, model)
    untuned = best = trials.count(first)
    chosen, saved = first.choices, Counts[Layer]()
    queue = _queue(first, model, candidates, untuned)
    progress(Step(1, len(queue) + 1, best))
    for number, (layer, choice) in enumerate(queue, 2):
        if time.monotonic() >= end_s:
            break
        tried = {**chosen, layer: choice}
        found = _count_or_none(trials, Chosen(tried, model))
        if found is not None and found < best:
            saved[layer] += best - found
            chosen, best = tried, found
        progress(Step(number, len(queue) + 1, best))
    return Tuning(
        schema=SCHEMA,
        pipeline=pipeline.name,
        board=counter.board,
        core=counter.core,
        optimization=optimization,
        tools={**tool_versions(), **counter.tools},
        untuned=untuned,
        instructions=best,
        convolutions=_convolutions(chosen, saved),
        depthwise=_depthwise(chosen, saved),
    )


def _count_or_none(trials: _Trials, blockings: Blockings) -> int | None:
    """None where the board has no room for the container."""
    try:
        return trials.count(blockings)
    except BudgetError:
        return None


def _convolutions(chosen: Mapping[Layer, Choice], saved: Mapping[Layer, int]) -> tuple[TunedConvolution, ...]:
    return tuple(
        TunedConvolution(layer, choice, saved[layer])
        for layer, choice in chosen.items()
        if isinstance(layer, Convolution) and isinstance(choice, Blocking)
    )


def _depthwise(chosen: Mapping[Layer, Choice], saved: Mapping[Layer, int]) -> tuple[TunedDepthwise, ...]:
    return tuple(
        TunedDepthwise(layer, choice, saved[layer])
        for layer, choice in chosen.items()
        if isinstance(layer, Planes) and isinstance(choice, Strips)
    )


def _queue(first: Chosen, model: CostModel, candidates: int, untuned: int) -> list[tuple[Layer, Choice]]:
    """What is tried, in turn: of each layer that matters what the cost model likes best after its choice."""
    found: list[tuple[Layer, Choice]] = []
    estimates = {layer: uses * _estimate(layer, first) for layer, uses in first.uses.items()}
    for layer in sorted(estimates, key=lambda layer: -estimates[layer]):
        choices: list[Choice] = []
        if isinstance(layer, Planes):
            choices += layer.strips()
        elif estimates[layer] >= SMALLEST_SHARE * untuned:
            choices += model.ranked(layer)[: candidates + 1]
        found += [(layer, choice) for choice in choices if choice != first.choices[layer]]
    return found


def _estimate(layer: Layer, first: Chosen) -> float:
    """Instructions; those of depthwise convolutions are not estimated, so that they come last."""
    choice = first.choices[layer]
    if isinstance(layer, Convolution) and isinstance(choice, Blocking):
        return instructions(layer, choice)
    return 0


class _Trials:
    """Builds a pipeline with different choices, and has its instructions counted."""

    def __init__(self, pipeline: TypedPipeline, counter: Counter, optimization: Optimization) -> None:
        self._pipeline = pipeline
        self._counter = counter
        self._optimization = optimization
        self._module = shrink(assemble(pipeline), graph_passes(), lambda removed: None)
        blocks = [block.text for block in block_sources(pipeline)]
        tools = {**tool_versions(), **counter.tools}
        self._context = repr((counter.board, optimization, blocks, sorted(tools.items()), sources_digest()))

    def count(self, blockings: Blockings) -> int:
        """Instructions of an inference, from the cache where they were counted before."""
        target = Target(Profile.MCU, self._optimization, blockings)
        unit = emit_target(self._pipeline, self._module, target)
        digest = hashlib.sha256(f"{self._context}\0{unit.source}".encode()).hexdigest()

        def build(folder: Path, name: str) -> None:
            (folder / name).write_text(f"{self._counter.count(self._container(unit, target))}\n", "ascii")

        return _number(cached(f"counts/{digest[:40]}.txt", build))

    def _container(self, unit: Unit, target: Target) -> bytes:
        wasm, plan = link_target(self._pipeline, unit, target)
        manifest = manifest_of(self._pipeline, {Profile.MCU: plan}, self._optimization)
        return seal(manifest, {Profile.MCU: wasm})


def _number(file: Path) -> int:
    """Raises RuneError for a file of the cache that is damaged."""
    text = file.read_bytes()[:20].decode("ascii", "replace").strip()
    if not text.isdecimal():
        raise RuneError(f"{file}: is damaged", hint="delete it")
    return int(text)
