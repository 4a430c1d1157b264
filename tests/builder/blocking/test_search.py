"""The search with a counter that only looks at code: what is tried, kept, cached, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from builder.blocking.chosen import Chosen
from builder.blocking.cost import CostModel
from builder.blocking.search import Step, search
from builder.blocking.shapes import Blocking, Convolution
from builder.build import build_container
from container.abi import Profile
from container.errors import BudgetError, RuneError
from container.sections import Container
from examples.tflite_writer import Graph
from runefile.pipeline import TypedPipeline
from tests.builder.model_runs import model_pipeline
from tests.builder.operators.layers import conv
from tests.builder.support import NO_GOLDEN

LAYER = Convolution(pixels=9, channels=6, taps=32)


class SmallestModule:
    """Takes the bytes of a module for its instructions."""

    def __init__(self, *, room: int | None = None) -> None:
        self.board, self.core = "paper", "pencil"
        self.tools: Mapping[str, str] = {"eraser": "1"}
        self.counted: list[int] = []
        self._room = room

    def count(self, container: bytes) -> int:
        size = len(Container.parse(container).modules[Profile.MCU])
        self.counted.append(size)
        if self._room is not None and len(self.counted) > self._room:
            raise BudgetError("does not fit")
        return size


@pytest.fixture(scope="module")
def pipeline() -> TypedPipeline:
    graph = Graph("layer")
    conv((3, 3, 32), 6, (1, 1), (3, 3)).add(graph, np.random.default_rng(0))
    return model_pipeline(graph.to_bytes())


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNE_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_the_best_is_kept_and_nothing_counted_twice(pipeline: TypedPipeline) -> None:
    first, second = SmallestModule(), SmallestModule()
    steps: list[Step] = []
    tuning = search(pipeline, first, candidates=3, progress=steps.append)
    (entry,) = tuning.convolutions
    assert (tuning.pipeline, tuning.board, tuning.core) == ("model", "paper", "pencil")
    assert tuning.tools["eraser"] == "1"
    assert tuning.untuned == first.counted[0]
    assert tuning.instructions == min(first.counted) < first.counted[0]
    assert entry.layer == LAYER
    assert entry.choice in CostModel().ranked(LAYER)[1:4]
    assert entry.saved == tuning.untuned - tuning.instructions
    assert [step.number for step in steps] == [1, 2, 3, 4]
    assert {step.steps for step in steps} == {4}
    assert [step.instructions for step in steps] == [min(first.counted[:n]) for n in range(1, 5)]
    assert search(pipeline, second, candidates=3) == tuning
    assert second.counted == []


def test_the_choice_gives_the_container_that_was_counted(pipeline: TypedPipeline) -> None:
    tuning = search(pipeline, SmallestModule(), candidates=3)
    chosen = Chosen(tuning.choices, CostModel())
    built = build_container(pipeline, profiles=[Profile.MCU], blockings=chosen, golden=NO_GOLDEN)
    assert len(Container.parse(built).modules[Profile.MCU]) == tuning.instructions


def test_what_the_board_has_no_room_for_is_passed_over(pipeline: TypedPipeline) -> None:
    tuning = search(pipeline, SmallestModule(room=1), candidates=2)
    assert tuning.instructions == tuning.untuned
    assert [entry.choice for entry in tuning.convolutions] == [CostModel().convolution(LAYER)]


def test_time_that_is_over(pipeline: TypedPipeline) -> None:
    counter = SmallestModule()
    tuning = search(pipeline, counter, end_s=time.monotonic())
    assert len(counter.counted) == 1
    assert [entry.saved for entry in tuning.convolutions] == [0]


def test_an_interrupted_search_goes_on(pipeline: TypedPipeline) -> None:
    def interrupt(step: Step) -> None:
        if step.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(pipeline, SmallestModule(), candidates=3, progress=interrupt)
    rest = SmallestModule()
    search(pipeline, rest, candidates=3)
    assert len(rest.counted) == 2


def test_a_damaged_cache(pipeline: TypedPipeline, cache: Path) -> None:
    counter = SmallestModule()
    search(pipeline, counter, end_s=time.monotonic())
    (file,) = (cache / "counts").iterdir()
    file.write_bytes(b"\xff\x00")
    with pytest.raises(RuneError, match="is damaged") as raised:
        search(pipeline, counter, end_s=time.monotonic())
    assert raised.value.hint == "delete it"


def test_a_blocking_that_is_never_tried(pipeline: TypedPipeline) -> None:
    """Of two rounds, which compilers make a choice of."""
    assert Blocking(3, 1, 8) not in CostModel().ranked(LAYER)
