"""3x3 convolutions with fewer products in the `mcu` profile, against TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from builder.families import mcu_winograd
from builder.families.mcu import Scaling
from container.abi import Profile
from container.manifest import Optimization
from container.sections import Container
from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro, int8_samples, model_pipeline
from tests.builder.operators.layers import RELU, VALID, Layer, conv
from tests.builder.support import container_of

LAYERS = [
    conv((2, 4, 4), 4, (3, 3), (2, 4)),
    conv((7, 5, 8), 6, (3, 3), (7, 5), y_zero=-128, activation=RELU),
    conv((6, 7, 12), 5, (3, 3), (4, 5), padding=VALID, x_zero=-128),
    conv((5, 4, 36), 9, (3, 3), (5, 4), y_scale=0.0011),
    conv((4, 4, 68), 4, (3, 3), (4, 4), x_zero=127),
    conv((4, 3, 128), 3, (3, 3), (4, 3), y_scale=60000.0),
]
EXTREMES = [
    conv((3, 4, 16), 4, (3, 3), (3, 4), extreme=extreme, x_zero=x_zero, y_scale=900.0, weight_scale=0.3)
    for extreme in (127, -128)
    for x_zero in (-128, 127)
]


def random_layers() -> list[Layer]:
    """Sizes, channels and zero points of all kinds."""
    generator = np.random.default_rng(21)
    layers = []
    for _ in range(8):
        height, width = (int(size) for size in generator.integers(4, 9, 2))
        is_valid = bool(generator.integers(2))
        layers.append(
            conv(
                (height, width, 4 * int(generator.integers(1, 9))),
                int(generator.integers(1, 12)),
                (3, 3),
                (height - 2, width - 2) if is_valid else (height, width),
                x_zero=int(generator.integers(-128, 128)),
                y_zero=int(generator.integers(-128, 128)),
                **({"padding": VALID} if is_valid else {}),
            )
        )
    return layers


def model(layers: Sequence[Layer]) -> bytes:
    graph, generator = Graph("layers"), np.random.default_rng(6)
    for layer in layers:
        layer.add(graph, generator)
    return graph.to_bytes()


def has_transforms(container: Container) -> bool:
    """No other kernel subtracts pairs of halfwords."""
    return b"rune_ssub16" in container.modules[Profile.MCU]


@pytest.mark.parametrize("layers", [LAYERS, EXTREMES, random_layers()], ids=["shapes", "extremes", "random"])
def test_equal_to_the_reference(layers: Sequence[Layer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcu_winograd, "pays", lambda *_: True)
    samples = int8_samples([layer.x for layer in layers], seed=8, count=3)
    assert_equals_tflite_micro(model(layers), samples, Optimization.SPEED)


@pytest.mark.parametrize(
    ("layer", "optimization", "expected"),
    [
        (conv((8, 8, 16), 16, (3, 3), (8, 8)), Optimization.SPEED, True),
        (conv((8, 8, 16), 16, (3, 3), (8, 8)), Optimization.BALANCED, False),
        (conv((8, 8, 6), 16, (3, 3), (8, 8)), Optimization.SPEED, False),
        (conv((8, 8, 16), 16, (3, 3), (4, 4), stride=(2, 2)), Optimization.SPEED, False),
        (conv((5, 5, 8), 4, (3, 3), (5, 5)), Optimization.SPEED, False),
        (conv((1, 8, 16), 16, (3, 3), (1, 8)), Optimization.SPEED, False),
    ],
    ids=["chosen", "not asked for", "six channels", "stride", "too small to pay", "one row"],
)
def test_chosen_where_it_is_asked_for_and_pays(
    layer: Layer, optimization: Optimization, expected: bool
) -> None:
    found = container_of(model_pipeline(model([layer])), optimization)
    assert has_transforms(found) is expected


def scaled(weights: np.ndarray[Any, Any]) -> Scaling:
    channels = np.arange(1, len(weights) + 1)
    numbers = (channels * 7, channels * 11, channels * 13)
    return Scaling(weights.astype(np.int64), *numbers, 0, -128, 127, True, False, False)


def test_products_of_transforms_are_four_times_the_convolution() -> None:
    """Of one tile, against the definition of a convolution."""
    generator = np.random.default_rng(7)
    pixels = generator.integers(-128, 128, (4, 4, 5))
    weights = generator.integers(-128, 128, (3, 3, 3, 5))
    a = np.array([[1, 0], [1, 1], [1, -1], [0, -1]])
    b = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
    inputs = np.einsum("pi,ijc,qj->pqc", b, pixels, b)
    sums = (mcu_winograd.transformed(weights) * inputs).sum(axis=3)
    found = np.einsum("pi,fpq,qj->fij", a, sums, a)
    for y, x in np.ndindex(2, 2):
        expected = (weights * pixels[y : y + 3, x : x + 3]).sum(axis=(1, 2, 3))
        np.testing.assert_array_equal(found[:, y, x], 4 * expected)


def test_what_is_transformed_fits_halfwords() -> None:
    """Nine weights of the same sign, as 2 G is at most one for each tap and twice that for a corner alone."""
    for extreme in (-128, 127):
        found = mcu_winograd.transformed(np.full((1, 3, 3, 1), extreme))
        assert np.abs(found).max() == 9 * abs(extreme) < 1 << 15


def test_sums_are_exact_up_to_a_quarter_of_int32() -> None:
    """128 times 2^22 is 2^29, a quarter of which int32 has just no room for."""
    weights = np.full((2, 1 << 15), 128)
    assert not mcu_winograd.is_exact(weights)
    weights[:, -1] -= 1
    assert mcu_winograd.is_exact(weights)


def test_filters_in_the_order_in_which_they_are_read() -> None:
    """Five filters of four channels are two blocks of four; in the middle, a filter's centre is itself."""
    weights = np.zeros((5, 3, 3, 4), np.int64)
    weights[0, 1, 1] = (1, -2, 3, -4)
    weights[4, 0, 0] = 5
    stream = mcu_winograd.pack(scaled(weights.reshape(5, -1)), 4).reshape(2, 12 + 16 * 2 * 4)
    assert stream[0, :6].tolist() == [7, 11, 13, 14, 22, 26]
    assert stream[1, :6].tolist() == [35, 55, 65, 0, 0, 0]
    position, second = 5, stream[:, 12:].reshape(2, 16, 2, 4)
    assert second[0, position, :, 0].tolist() == [1 + (3 << 16), (-4 << 16) + (-2 & 0xFFFF)]
    # Of a corner, times 2 in both directions.
    assert second[1, 0, :, 0].tolist() == [20 + (20 << 16)] * 2
    assert not second[1, :, :, 1:].any()
