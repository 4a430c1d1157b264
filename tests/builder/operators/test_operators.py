"""Operators against TensorFlow Lite Micro: integers to the last bit, floats within the stated tolerance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import (
    assert_equals_tflite_micro,
    float_samples,
    int8_samples,
    int16_samples,
    run_ours,
)
from tests.builder.operators import graphs
from tests.builder.operators.graphs import Plain, Weighted

WEIGHTED = {
    "conv2d": graphs.conv2d(),
    "depthwise_conv2d": graphs.depthwise_conv2d(),
    "fully_connected": graphs.fully_connected(),
}
PLAIN = {
    "pooling": graphs.pooling(),
    "mean": graphs.mean(),
    "add": graphs.add(),
    "softmax": graphs.softmax(),
}
several = settings(max_examples=2, report_multiple_bugs=False)
"""Each example is a model of six operators, and each operator sees thirteen samples."""


def six(cases: st.SearchStrategy[Weighted] | st.SearchStrategy[Plain]) -> st.SearchStrategy[list[object]]:
    return st.lists(cases, min_size=6, max_size=6)


@pytest.mark.parametrize("name", WEIGHTED)
def test_operators_with_weights_in_int8(name: str) -> None:
    @several
    @given(six(WEIGHTED[name]), st.integers(0, 2**32 - 1))
    def check(cases: Sequence[Weighted], seed: int) -> None:
        graph, generator = Graph(name), np.random.default_rng(seed)
        shapes = [case.add_int8(graph, generator) for case in cases]
        assert_equals_tflite_micro(graph.to_bytes(), int8_samples(shapes, seed))

    check()


@pytest.mark.parametrize("name", WEIGHTED)
def test_operators_with_weights_in_int16(name: str) -> None:
    @several
    @given(six(WEIGHTED[name]), st.integers(0, 2**32 - 1))
    def check(cases: Sequence[Weighted], seed: int) -> None:
        graph, generator = Graph(name), np.random.default_rng(seed)
        shapes = [case.add_int16(graph, generator) for case in cases]
        assert_equals_tflite_micro(graph.to_bytes(), int16_samples(shapes, seed))

    check()


@pytest.mark.parametrize("name", WEIGHTED)
def test_operators_with_weights_in_float32(name: str) -> None:
    @several
    @given(six(WEIGHTED[name]), st.integers(0, 2**32 - 1))
    def check(cases: Sequence[Weighted], seed: int) -> None:
        graph, generator = Graph(name), np.random.default_rng(seed)
        shapes = [case.add_float32(graph, generator) for case in cases]
        assert_equals_tflite_micro(graph.to_bytes(), float_samples(shapes, seed))

    check()


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("name", PLAIN)
def test_operators_without_weights(name: str, dtype: str) -> None:
    samples = int8_samples if dtype == "int8" else float_samples

    @several
    @given(six(PLAIN[name]), st.integers(0, 2**32 - 1))
    def check(cases: Sequence[Plain], seed: int) -> None:
        graph = Graph(name)
        shapes = [shape for case in cases for shape in case.add(graph, dtype)]
        assert_equals_tflite_micro(graph.to_bytes(), samples(shapes, seed))

    check()


@several
@given(st.lists(graphs.QUANTIZATIONS, min_size=8, max_size=8), st.integers(0, 2**32 - 1))
def test_requantize_and_dequantize(quantizations: Sequence[Quantization], seed: int) -> None:
    shape, graph = (2, 9), Graph("requantize")
    for source, target in zip(quantizations[::2], quantizations[1::2], strict=True):
        x = graph.input("x", shape, "int8", source)
        y = graph.tensor("y", shape, "int8", target)
        z = graph.tensor("z", shape, "float32")
        graph.operator("QUANTIZE", [x], [y])
        graph.operator("DEQUANTIZE", [y], [z])
        graph.output(y)
        graph.output(z)
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples([shape] * 4, seed))


@several
@given(graphs.QUANTIZATIONS, st.integers(0, 2**32 - 1))
def test_quantize_from_float_rounds_ties_as_the_reference(quantization: Quantization, seed: int) -> None:
    shape, graph = (4, 16), Graph("quantize")
    x = graph.input("x", shape, "float32")
    y = graph.tensor("y", shape, "int8", quantization)
    graph.operator("QUANTIZE", [x], [y])
    graph.output(y)
    steps = np.random.default_rng(seed).integers(-300, 300, shape) + np.float32(0.5)
    ties = (steps * np.float32(quantization.scale[0])).astype("float32")
    assert_equals_tflite_micro(graph.to_bytes(), [*float_samples([shape], seed), [ties]])


def test_quantize_from_float_next_to_ties() -> None:
    """The floats on both sides of each tie, and what saturates."""
    ties = np.concatenate([np.arange(-140, 140), [-40_000, -32_768, 32_766, 1 << 20]]).astype("float32") + 0.5
    far = np.array([1e9, -1e9, -0.0, 8388609.0], "float32")
    values = np.concatenate(
        [ties, np.nextafter(ties, -np.inf), np.nextafter(ties, np.inf), far], dtype="float32"
    )
    graph = Graph("quantize")
    x = graph.input("x", values.shape, "float32")
    for dtype, zero in (("int8", -3), ("int16", 0)):
        y = graph.tensor(dtype, values.shape, dtype, Quantization((1.0,), (zero,)))
        graph.operator("QUANTIZE", [x], [y])
        graph.output(y)
    assert_equals_tflite_micro(graph.to_bytes(), [[values]])


@several
@given(st.lists(st.integers(1, 20), min_size=4, max_size=4), st.integers(0, 2**32 - 1))
def test_softmax_in_int16(depths: Sequence[int], seed: int) -> None:
    graph, shapes = Graph("softmax"), [(2, depth) for depth in depths]
    for shape, scale in zip(shapes, (1 / 4096, 1 / 3000, 0.001, 0.01), strict=True):
        x = graph.input("x", shape, "int16", Quantization((float(np.float32(scale)),), (0,)))
        y = graph.tensor("y", shape, "int16", Quantization((1 / 32768,), (0,)))
        graph.operator("SOFTMAX", [x], [y], beta=1.0)
        graph.output(y)
    assert_equals_tflite_micro(graph.to_bytes(), int16_samples(shapes, seed))


@several
@given(graphs.softmax(), st.integers(0, 2**32 - 1))
def test_softmax_of_int8_as_int16(case: Plain, seed: int) -> None:
    graph = Graph("softmax")
    x = graph.input("x", case.y, "int8", case.quantizations[0])
    y = graph.tensor("y", case.y, "int16", Quantization((1 / 65536,), (-32768,)))
    graph.operator("SOFTMAX", [x], [y], **case.options)
    graph.output(y)
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples([case.y], seed))


def test_softmax_of_equal_inputs_shares_the_whole() -> None:
    """Four equal inputs get a quarter each: 64 steps of 1/256 above the zero point -128."""
    quantization = Quantization((1 / 256,), (-128,))
    case = Plain("SOFTMAX", ((1, 4),), (1, 4), (Quantization((0.1,), (0,)), quantization), {"beta": 1.0})
    graph = Graph("softmax")
    case.add(graph, "int8")
    for outputs in run_ours(graph.to_bytes(), [[np.full((1, 4), 7, "int8")]]).values():
        assert outputs[0][0].tolist() == [[-64, -64, -64, -64]]
