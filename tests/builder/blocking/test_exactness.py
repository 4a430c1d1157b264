"""Whatever is chosen, every bit stays: random choices against TensorFlow Lite Micro."""

from __future__ import annotations

import random

import numpy as np
import pytest

from builder.blocking.chosen import Choice, Chosen, Layer
from builder.blocking.cost import CostModel
from builder.blocking.shapes import Blocking, Convolution, Planes, Strips
from builder.build import build_container
from builder.target import Target
from container.abi import Profile
from container.sections import Container
from examples.tflite_writer import Graph
from tests.builder.model_runs import int8_samples, model_pipeline, run_tflite_micro
from tests.builder.operators.layers import RELU, VALID, conv, depthwise, fully_connected
from tests.builder.support import NO_GOLDEN, run_container

LAYERS = [
    conv((4, 5, 3), 6, (3, 3), (4, 5)),
    conv((5, 3, 8), 5, (3, 3), (5, 3)),
    conv((6, 5, 1), 9, (4, 3), (3, 3), padding=VALID),
    conv((5, 5, 24), 4, (3, 3), (5, 5), weight_scale=0.002),
    conv((3, 7, 16), 8, (1, 1), (3, 7), y_zero=-128, activation=RELU),
    conv((4, 4, 4), 7, (3, 3), (2, 2), stride=(2, 2), y_scale=0.0003),
    conv((5, 2, 12), 3, (2, 2), (5, 2), extreme=-128, y_scale=900.0, weight_scale=0.3),
    depthwise((9, 7, 4), 4, (3, 3), (9, 7)),
    depthwise((8, 6, 4), 4, (3, 3), (4, 3), stride=(2, 2)),
    depthwise((6, 4, 2), 4, (3, 3), (6, 4)),
    fully_connected(1, 24, 9),
    fully_connected(1, 13, 4),
    fully_connected(5, 20, 6),
]


class _Random:
    """Chooses among all that is possible for a layer."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def convolution(self, layer: Convolution) -> Blocking:
        return self._random.choice(list(layer.blockings()))

    def depthwise(self, layer: Planes) -> Strips:
        group = self._random.choice([1, 4]) if layer.has_groups else 1
        return Strips(group, self._random.randint(1, layer.most_rows(group)))


def model() -> bytes:
    graph, generator = Graph("layers"), np.random.default_rng(11)
    for layer in LAYERS:
        layer.add(graph, generator)
    return graph.to_bytes()


@pytest.mark.parametrize("seed", range(4))
def test_random_choices(seed: int) -> None:
    data = model()
    samples = int8_samples([layer.x for layer in LAYERS], 3, count=3)
    chosen = Chosen({}, _Random(seed))
    container = Container.parse(
        build_container(model_pipeline(data), profiles=[Profile.MCU], blockings=chosen, golden=NO_GOLDEN)
    )
    assert len(chosen.choices) == len(LAYERS)
    for found, wanted in zip(
        run_container(container, Profile.MCU, samples), run_tflite_micro(data, samples), strict=True
    ):
        for actual, expected in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(actual, expected)


def test_what_is_given_comes_before_what_others_choose() -> None:
    known, other = Convolution(9, 8, 16), Convolution(9, 8, 20)
    given: dict[Layer, Choice] = {known: Blocking(1, 4, 2)}
    chosen = Chosen(given, CostModel())
    assert chosen.convolution(other) == CostModel().convolution(other)
    found = [chosen.found]
    assert chosen.convolution(known) == Blocking(1, 4, 2)
    assert chosen.convolution(known) == Blocking(1, 4, 2)
    assert [*found, chosen.found] == [False, True]
    assert chosen.uses == {known: 2, other: 1}
    assert list(chosen.choices) == [other, known]


def test_a_target_without_choices_has_the_cost_model() -> None:
    assert Target(Profile.MCU).blockings == CostModel()
    chosen = Chosen({}, CostModel())
    assert Target(Profile.MCU, chosen=chosen).blockings is chosen
