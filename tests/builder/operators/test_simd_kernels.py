"""Vector kernels of the `simd` profile against TensorFlow Lite Micro: each shape that has a path of its own,
and extreme values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest

from builder.families import simd_winograd
from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro, int8_samples
from tests.builder.operators.layers import (
    RELU,
    VALID,
    Layer,
    conv,
    depthwise,
    fully_connected,
)

CONVOLUTIONS = [
    conv((1, 1, 8), 3, (1, 1), (1, 1)),
    conv((3, 5, 8), 6, (1, 1), (3, 5)),
    conv((3, 4, 16), 9, (1, 1), (3, 4), y_zero=-128, activation=RELU),
    conv((7, 5, 3), 5, (3, 3), (4, 3), stride=(2, 2)),
    conv((9, 5, 1), 8, (4, 3), (6, 3), padding=VALID),
    conv((9, 6, 4), 4, (3, 2), (9, 6), dilation=(2, 1)),
    conv((9, 6, 3), 4, (3, 3), (9, 6), dilation=(2, 1)),
    conv((2, 9, 1), 4, (1, 5), (2, 9)),
]
POINTWISE = [
    conv((1, 2, 8), 16, (1, 1), (1, 2)),
    conv((3, 5, 24), 32, (1, 1), (3, 5), y_zero=-128, activation=RELU),
    conv((3, 3, 16), 16, (1, 1), (3, 3), y_scale=0.0006),
    conv((5, 6, 8), 16, (1, 1), (3, 3), stride=(2, 2)),
]
WINDOWS = [
    conv((3, 3, 8), 16, (3, 3), (3, 3)),
    conv((9, 7, 3), 16, (3, 3), (5, 4), stride=(2, 2), y_zero=-128, activation=RELU),
    conv((9, 5, 1), 32, (10, 4), (5, 3), stride=(2, 2)),
    conv((6, 5, 16), 32, (3, 2), (2, 4), padding=VALID, stride=(2, 1), y_scale=0.0011),
    conv((7, 6, 8), 16, (3, 1), (7, 6), dilation=(2, 1)),
]
WINOGRAD = [
    conv((4, 5, 8), 16, (3, 3), (4, 5)),
    conv((8, 4, 16), 16, (3, 3), (8, 4), y_zero=-128, activation=RELU),
    conv((9, 8, 8), 32, (3, 3), (7, 6), padding=VALID),
    conv((5, 11, 24), 16, (3, 3), (5, 11), y_scale=0.0011),
    conv((12, 13, 8), 16, (3, 3), (12, 13)),
]
WINOGRAD_EXTREMES = [
    conv((5, 4, 32), 16, (3, 3), (5, 4), extreme=extreme, x_zero=x_zero, y_scale=900.0, weight_scale=0.3)
    for extreme in (127, -128)
    for x_zero in (-128, 127)
]
DEPTHWISE = [
    depthwise((5, 4, 8), 8, (3, 3), (5, 4)),
    depthwise((5, 4, 9), 9, (3, 2), (3, 2), stride=(2, 2)),
    depthwise((4, 4, 16), 16, (1, 1), (4, 4)),
    depthwise((9, 9, 8), 8, (9, 8), (9, 9)),
    depthwise((6, 6, 11), 11, (3, 3), (6, 6), dilation=(2, 1), y_zero=-128, activation=RELU),
    depthwise((5, 3, 8), 8, (3, 3), (5, 3)),
    depthwise((6, 5, 9), 9, (3, 3), (6, 5), y_zero=-128, activation=RELU),
    depthwise((7, 8, 13), 13, (3, 3), (5, 6), padding=VALID, y_scale=0.0006),
    depthwise((9, 7, 8), 8, (5, 3), (5, 7), stride=(2, 1)),
    depthwise((9, 11, 8), 8, (4, 3), (3, 11), stride=(3, 1)),
    depthwise((2, 4, 10), 10, (1, 3), (2, 4)),
    *(
        depthwise((4, 4, 8), 8, (3, 3), (4, 4), extreme=extreme, x_zero=127, y_scale=9.0)
        for extreme in (127, -128)
    ),
]
FULLY_CONNECTED = [
    fully_connected(1, 1, 1),
    fully_connected(1, 24, 8),
    fully_connected(1, 13, 9, y_zero=-128, activation=RELU),
    fully_connected(3, 20, 6),
    fully_connected(1, 16, 16),
    fully_connected(1, 7, 17, x_zero=127),
    fully_connected(1, 45, 40, x_zero=-128, y_zero=-128, activation=RELU),
    *(fully_connected(1, 33, 16, extreme=extreme, y_scale=90.0) for extreme in (127, -128)),
]
SCALES = [
    layer
    for y_scale in (0.0006, 0.02, 0.7, 200.0)
    for layer in (
        fully_connected(2, 16, 5, y_scale=y_scale),
        conv((3, 3, 8), 4, (3, 3), (3, 3), y_scale=y_scale),
        depthwise((3, 3, 8), 8, (3, 3), (3, 3), y_scale=y_scale),
    )
]


@pytest.mark.parametrize(
    "layers",
    [CONVOLUTIONS, POINTWISE, WINDOWS, WINOGRAD, WINOGRAD_EXTREMES, DEPTHWISE, FULLY_CONNECTED, SCALES],
    ids=[
        "convolutions",
        "pointwise",
        "windows",
        "winograd",
        "winograd_extremes",
        "depthwise",
        "fully_connected",
        "scales",
    ],
)
def test_equal_to_the_reference(layers: Sequence[Layer]) -> None:
    graph, generator = Graph("layers"), np.random.default_rng(6)
    for layer in layers:
        layer.add(graph, generator)
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples([layer.x for layer in layers], seed=6, count=3))


def test_products_of_transforms_are_576_times_the_convolution() -> None:
    """Of one tile, against the definition of a convolution."""
    generator = np.random.default_rng(7)
    pixels = generator.integers(-255, 256, (6, 6, 5))
    weights = generator.integers(-128, 128, (3, 3, 3, 5))
    b = np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    )
    a = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8], [0, 0, 0, 2]])
    inputs = np.einsum("pi,ijc,qj->pqc", b, pixels, b)
    sums = (simd_winograd.transformed(weights) * inputs).sum(axis=3)
    found = np.einsum("pi,fpq,qj->fij", a, sums, a)
    for y, x in np.ndindex(4, 4):
        expected = (weights * pixels[y : y + 3, x : x + 3]).sum(axis=(1, 2, 3))
        np.testing.assert_array_equal(found[:, y, x], 576 * expected)


@pytest.mark.parametrize("value", [127, -128])
def test_any_filter_fits_halfwords(value: int) -> None:
    signs = np.array(list(product((0, 1, -1), repeat=3)))
    weights = np.einsum("ai,bj->abij", signs, signs).reshape(-1, 3, 3, 1) * value
    transformed = simd_winograd.transformed(weights)
    assert np.array_equal(transformed.astype("int16"), transformed)
