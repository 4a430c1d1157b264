"""Kernels of the `mcu` profile that multiply halfwords, against TensorFlow Lite Micro.

Each shape that has a path of its own, and extreme values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from builder import toolchain
from builder.families import mcu
from builder.levels import LEVELS
from container.manifest import Optimization
from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro, int8_samples, int16_samples
from tests.builder.operators.layers import (
    NONE,
    RELU,
    SAME,
    VALID,
    Layer,
    conv,
    depthwise,
    fully_connected,
)

CONVOLUTIONS = [
    conv((1, 1, 3), 5, (1, 1), (1, 1)),
    conv((1, 1, 4), 8, (1, 1), (1, 1)),
    conv((1, 3, 4), 4, (1, 1), (1, 3), y_zero=-128, activation=RELU),
    conv((5, 3, 8), 6, (3, 3), (5, 3)),
    conv((5, 4, 3), 7, (3, 2), (3, 2), stride=(2, 2)),
    conv((6, 5, 1), 9, (4, 3), (3, 3), padding=VALID),
    conv((7, 6, 4), 3, (2, 2), (7, 6), dilation=(2, 2)),
    conv((4, 7, 12), 4, (1, 3), (4, 3), stride=(1, 2), padding=VALID),
    conv((5, 4, 76), 5, (3, 3), (5, 4)),
    conv((5, 4, 75), 9, (3, 3), (5, 4)),
    conv((4, 5, 3), 6, (3, 3), (4, 5)),
    conv((3, 4, 20), 4, (1, 1), (3, 4)),
    conv((3, 4, 32), 5, (1, 1), (3, 4)),
    conv((1, 2, 24), 8, (1, 1), (1, 2)),
]
DEPTHWISE = [
    depthwise((5, 5, 3), 3, (3, 3), (5, 5)),
    depthwise((6, 4, 4), 8, (3, 3), (3, 2), stride=(2, 2)),
    depthwise((40, 30, 2), 2, (3, 3), (40, 30)),
    depthwise((9, 1, 5), 5, (5, 1), (5, 1), padding=VALID),
    depthwise((1, 9, 2), 2, (1, 4), (1, 5), stride=(1, 2)),
    depthwise((6, 6, 2), 2, (2, 4), (6, 6), dilation=(2, 1)),
    depthwise((7, 6, 1), 6, (5, 4), (4, 3), stride=(2, 2)),
    depthwise((3, 2, 2), 2, (4, 4), (3, 2)),
    depthwise((4, 4, 2), 2, (3, 3), (2, 2), stride=(3, 3)),
    depthwise((40, 30, 8), 8, (3, 3), (40, 30)),
    depthwise((5, 6, 4), 4, (4, 3), (5, 6), padding=SAME),
    # Few pixels, and windows inside of the image.
    depthwise((7, 1, 8), 8, (7, 1), (1, 1), padding=VALID, activation=RELU),
    depthwise((2, 5, 4), 4, (2, 3), (1, 2), stride=(1, 2), padding=VALID),
    depthwise((5, 3, 12), 12, (3, 1), (1, 3), dilation=(2, 1), padding=VALID),
    depthwise((1, 1, 4), 4, (1, 1), (1, 1), y_scale=0.0003),
]
FULLY_CONNECTED = [
    fully_connected(1, 1, 1),
    fully_connected(1, 12, 8),
    fully_connected(1, 13, 9),
    fully_connected(1, 24, 8),
    fully_connected(3, 6, 5),
    fully_connected(1, 1796, 5, weight_scale=0.0005),
    fully_connected(1, 1795, 5, weight_scale=0.0005),
    fully_connected(1, 2000, 9, weight_scale=0.0005),
    fully_connected(4, 16, 4, activation=RELU),
]
EXTREMES = [
    conv(
        (3, 3, 16),
        4,
        (3, 3),
        (3, 3),
        extreme=extreme,
        x_zero=x_zero,
        y_scale=900.0,
        weight_scale=0.3,
    )
    for extreme in (127, -127, -128)
    for x_zero in (-128, 127)
]
DIVISORS = [
    layer
    for y_scale in (0.0003, 0.0006, 0.0011, 200.0, 60000.0)
    for layer in (
        fully_connected(1, 8, 4, y_scale=y_scale),
        conv((2, 3, 4), 4, (1, 1), (2, 3), y_scale=y_scale),
        depthwise((3, 3, 2), 2, (3, 3), (3, 3), y_scale=y_scale),
    )
]


@pytest.mark.parametrize(
    ("optimization", "level"),
    [*((Optimization.BALANCED, level) for level in LEVELS), (Optimization.SIZE, LEVELS[-1])],
)
@pytest.mark.parametrize(
    "layers",
    [CONVOLUTIONS, DEPTHWISE, FULLY_CONNECTED, EXTREMES, DIVISORS],
    ids=["convolutions", "depthwise", "fully_connected", "extremes", "divisors"],
)
def test_equal_to_the_reference(
    layers: Sequence[Layer], optimization: Optimization, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On each level of cores, whatever this machine's is."""
    flags = (*toolchain.COMMON_FLAGS, f"-DRUNE_CORE_LEVEL={level}")
    monkeypatch.setattr(toolchain, "COMMON_FLAGS", flags)
    graph, generator = Graph("layers"), np.random.default_rng(5)
    for layer in layers:
        layer.add(graph, generator)
    samples = int8_samples([layer.x for layer in layers], 7, count=4)
    assert_equals_tflite_micro(graph.to_bytes(), samples, optimization)


HALFWORDS = [
    conv((1, 1, 3), 5, (1, 1), (1, 1)),
    conv((5, 3, 8), 6, (3, 3), (5, 3), activation=RELU),
    conv((5, 4, 3), 7, (3, 2), (3, 2), stride=(2, 2)),
    conv((7, 6, 4), 3, (2, 2), (7, 6), dilation=(2, 2)),
    conv((4, 7, 6), 4, (1, 3), (4, 3), stride=(1, 2), padding=VALID),
    conv((3, 4, 32), 5, (1, 1), (3, 4)),
    conv((5, 4, 70), 3, (3, 3), (5, 4)),
    depthwise((5, 5, 3), 3, (3, 3), (5, 5)),
    depthwise((6, 4, 4), 8, (3, 3), (3, 2), stride=(2, 2)),
    depthwise((40, 30, 2), 2, (3, 3), (40, 30), activation=RELU),
    depthwise((9, 1, 5), 5, (5, 1), (5, 1), padding=VALID),
    depthwise((7, 6, 1), 6, (5, 4), (4, 3), stride=(2, 2)),
    fully_connected(1, 12, 8),
    fully_connected(1, 13, 9),
    fully_connected(3, 6, 5),
    fully_connected(1, 1000, 2, weight_scale=0.0005),
    # Sums of 2^31 and more, and factors that one product is too coarse or too fine for.
    fully_connected(1, 700, 2, extreme=127),
    fully_connected(1, 8, 4, y_scale=0.0001),
    fully_connected(1, 8, 4, y_scale=1000.0),
]


@pytest.mark.parametrize("bias_dtype", ["int32", "int64"])
def test_halfwords_equal_to_the_reference(bias_dtype: str) -> None:
    graph, generator = Graph("halfwords"), np.random.default_rng(6)
    # TensorFlow Lite Micro takes the biases of depthwise convolutions for int64 always.
    cases = [layer for layer in HALFWORDS if bias_dtype == "int64" or not layer.channel_axis]
    layers = [replace(layer, dtype="int16", bias_dtype=bias_dtype) for layer in cases]
    for layer in layers:
        layer.add(graph, generator)
    assert_equals_tflite_micro(graph.to_bytes(), int16_samples([layer.x for layer in layers], 7))


def scaled(weights: np.ndarray[Any, Any], bias: Sequence[int], shift: int) -> mcu.Scaling:
    """A scaling whose divisors are 2^shift, of which the multiplier does not matter."""
    values = weights.reshape(len(bias), -1).astype(np.int64)
    multipliers = np.full(len(bias), 2 << 30, np.int64)
    wide = bool(weights.min() == -128)
    return mcu.Scaling(
        values,
        np.array(bias, np.int64),
        multipliers,
        np.full(len(bias), 1 << (32 - shift)),
        0,
        -128,
        127,
        True,
        False,
        wide,
        True,
    )


def unpacked(
    stream: np.ndarray[Any, Any], pairs: int, words: int, *, wide: bool
) -> Iterator[tuple[int, list[int]]]:
    """Bias and weights of each channel, by what the kernel computes from the stream."""
    block_words = pairs * (6 + words)
    for block in stream.reshape(-1, block_words).astype(np.int64):
        for pair in range(pairs):
            header = block[6 * pair : 6 * pair + 6]
            both = block[6 * pairs :].reshape(words, pairs)[:, pair]
            halves = np.stack([both << 48 >> 48, both << 32 >> 48])
            lower = (halves & 0xFF ^ 0x80) - 0x80
            upper = halves >> 8 if wide else halves - lower >> 8
            second = header[3] if wide else header[3] - header[0] >> 8
            for values, bias in ((lower, header[0]), (upper, second)):
                yield int(bias), _in_order(values)


def _in_order(halves: np.ndarray[Any, Any]) -> list[int]:
    """Taps from words of (0, 2) and (1, 3)."""
    return [int(v) for group in halves.T.reshape(-1, 2, 2) for v in group.T.reshape(-1)]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(
    ("channels", "taps", "pairs"), [(1, 1, 1), (4, 4, 2), (5, 7, 2), (8, 16, 4), (9, 3, 4)]
)
def test_weights_survive_packing(channels: int, taps: int, pairs: int, *, wide: bool) -> None:
    generator = np.random.default_rng(channels)
    weights = generator.integers(-127, 128, (channels, taps))
    if wide:
        weights[-1, 0] = -128
    bias = generator.integers(-(1 << 22), 1 << 22, channels)
    words = -(-taps // 4) * 2
    stream = mcu.pack(scaled(weights, bias.tolist(), 4), pairs)
    found = list(unpacked(stream, pairs, words, wide=wide))
    assert len(found) == -(-channels // (2 * pairs)) * 2 * pairs
    for (found_bias, found_taps), wanted_bias, wanted in zip(found, bias, weights, strict=False):
        assert found_bias == wanted_bias
        assert found_taps == [*wanted.tolist(), *[0] * (2 * words - taps)]
    assert all(rest == (0, [0] * (2 * words)) for rest in found[channels:])


@pytest.mark.parametrize("builtin", ["ADD", "SUB"])
def test_sums_of_any_scales(builtin: str) -> None:
    graph = Graph(builtin)
    scales = [
        (0.05, 0.05, 0.09),
        (0.02, 0.011, 0.1),
        (0.003, 0.2, 0.13),
        (0.2, 0.0004, 5.0),
        (0.1, 0.06, 0.02),
    ]
    for number, (a_scale, b_scale, y_scale) in enumerate(scales):
        a = graph.input("a", (1, 37), "int8", Quantization((a_scale,), (-128 + 60 * number,)))
        b = graph.input("b", (1, 37), "int8", Quantization((b_scale,), (127 - 50 * number,)))
        y = graph.tensor("y", (1, 37), "int8", Quantization((y_scale,), (number - 3,)))
        graph.operator(builtin, [a, b], [y], fused_activation_function=RELU if number == 2 else NONE)
        graph.output(y)
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples([(1, 37)] * 10, 3, count=30))


PAIRS = [values.reshape(1, -1).astype("int8") for values in np.mgrid[-128:128, -128:128]]
"""Every pair of two int8."""
HALVES = (0.5, 0.5, 1.0)
"""Scales of which half of all sums lie between two results."""
WITHOUT_LINEAR_FORM = (1.0, 1 / 256, 0.5)


@pytest.mark.parametrize("builtin", ["ADD", "SUB"])
@pytest.mark.parametrize(
    ("scales", "zeros", "activation"),
    [
        (HALVES, (0, 0, 0), NONE),
        (HALVES, (-128, 127, 3), NONE),
        ((0.0471, 0.0235, 0.0513), (-4, 11, -128), RELU),
        ((0.002, 0.9, 0.4), (7, -100, 90), NONE),
        (WITHOUT_LINEAR_FORM, (0, -61, -123), NONE),
    ],
)
def test_sums_of_all_pairs(
    builtin: str, scales: tuple[float, ...], zeros: tuple[int, ...], activation: int
) -> None:
    graph = Graph(builtin)
    a, b = (
        graph.input(name, (1, 1 << 16), "int8", Quantization((scale,), (zero,)))
        for name, scale, zero in zip("ab", scales, zeros, strict=False)
    )
    y = graph.tensor("y", (1, 1 << 16), "int8", Quantization(scales[2:], zeros[2:]))
    graph.operator(builtin, [a, b], [y], fused_activation_function=activation)
    graph.output(y)
    assert_equals_tflite_micro(graph.to_bytes(), [PAIRS])


@pytest.mark.parametrize("activation", [NONE, RELU])
def test_channels_without_weights(activation: int) -> None:
    """Their results are those of their biases, however large; the last has weights and nearly as much."""
    layer = fully_connected(3, 8, 6, activation=activation, y_zero=-40)
    graph, generator = Graph("constant channels"), np.random.default_rng(8)
    weights = generator.integers(-127, 128, layer.weights, "int8")
    weights[:5] = 0
    scales = (0.004, 0.004, 0.004, 0.0001, 3.0, 1e-7)
    x = graph.input("x", layer.x, "int8", Quantization((0.05,), (3,)))
    w = graph.constant("w", weights, Quantization(scales, (0,) * 6, 0))
    products = tuple(float(np.float32(0.05) * np.float32(scale)) for scale in scales)
    bias = np.array([-(1 << 30), (1 << 31) - 1, 77_000, -900_000, 2, 2_147_300_000], "int32")
    b = graph.constant("b", bias, Quantization(products, (0,) * 6, 0))
    y = graph.tensor("y", layer.y, "int8", Quantization((0.5,), (layer.y_zero,)))
    graph.operator("FULLY_CONNECTED", [x, w, b], [y], fused_activation_function=activation)
    graph.output(y)
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples([layer.x], 4, count=3))
