"""Weights of other kinds than int8 around 0: two to a byte, and with a zero point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.importers.tflite_file import read_subgraphs
from container.errors import CompileError
from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro, int8_samples, run_ours
from tests.builder.operators import graphs
from tests.builder.operators.graphs import Weighted

several = settings(max_examples=2, report_multiple_bugs=False)
"""Each example is a model of six operators."""
INT4 = {
    "conv2d": graphs.conv2d(),
    "depthwise_conv2d": graphs.depthwise_conv2d(),
    "fully_connected": graphs.fully_connected(),
}


@pytest.mark.parametrize("name", INT4)
def test_weights_of_four_bits(name: str) -> None:
    @several
    @given(st.lists(INT4[name], min_size=6, max_size=6), st.integers(0, 2**32 - 1))
    def check(cases: Sequence[Weighted], seed: int) -> None:
        graph, generator = Graph(name), np.random.default_rng(seed)
        shapes = [_add_int4(case, graph, generator) for case in cases]
        assert_equals_tflite_micro(graph.to_bytes(), int8_samples(shapes, seed))

    check()


def _add_int4(case: Weighted, graph: Graph, generator: np.random.Generator) -> tuple[int, ...]:
    channels = case.y[-1]
    count = channels if case.per_channel and channels > 1 else 1
    scales = tuple(float(s) for s in generator.uniform(0.01, 0.2, count).astype("float32"))
    quantization = Quantization(scales, (0,) * count, case.channel_axis if count > 1 else None)
    x = graph.input("x", case.x, "int8", case.x_quantization)
    weights = graph.constant_int4("w", generator.integers(-8, 8, case.w, "int8"), quantization)
    products = tuple(float(np.float32(case.x_quantization.scale[0]) * np.float32(s)) for s in scales)
    bias = graph.constant(
        "b",
        generator.integers(-2000, 2000, channels, "int32"),
        Quantization(products, (0,) * count, 0 if count > 1 else None),
    )
    y = graph.tensor("y", case.y, "int8", case.y_quantization)
    graph.operator(case.builtin, [x, weights, bias], [y], **case.options)
    graph.output(y)
    return case.x


def test_four_bits_are_read_from_the_lower_half_first() -> None:
    graph = Graph("packed")
    graph.constant_int4("w", [[-8, 7, -1]], Quantization((1.0,), (0,)))
    (subgraph,) = read_subgraphs(graph.to_bytes(), "packed.tflite")
    (tensor,) = subgraph.tensors
    assert tensor.dtype == "int8"
    assert tensor.data is not None
    assert tensor.data.tolist() == [[-8, 7, -1]]


@pytest.mark.parametrize("shape", [(1, 2), (1, 5)])
def test_too_few_or_too_many_four_bit_values_are_damage(shape: tuple[int, ...]) -> None:
    graph = Graph("packed")
    graph.constant_int4("w", [[-8, 7, -1]])
    graph.tensors[0] = replace(graph.tensors[0], shape=shape)
    with pytest.raises(CompileError, match="damaged"):
        read_subgraphs(graph.to_bytes(), "packed.tflite")


@several
@given(
    st.lists(graphs.fully_connected(), min_size=6, max_size=6),
    st.lists(st.integers(-128, 127), min_size=6, max_size=6),
    st.integers(0, 2**32 - 1),
)
def test_fully_connected_with_a_zero_point_of_its_weights(
    cases: Sequence[Weighted], zeros: Sequence[int], seed: int
) -> None:
    graph, generator = Graph("asymmetric"), np.random.default_rng(seed)
    shapes = []
    for case, zero in zip(cases, zeros, strict=True):
        x = graph.input("x", case.x, "int8", case.x_quantization)
        weights = generator.integers(-128, 128, case.w, "int8")
        w = graph.constant("w", weights, Quantization((0.0078125,), (zero,)))
        y = graph.tensor("y", case.y, "int8", case.y_quantization)
        graph.operator(case.builtin, [x, w], [y], **case.options)
        graph.output(y)
        shapes.append(case.x)
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples(shapes, seed))


def test_convolutions_refuse_a_zero_point_of_their_weights() -> None:
    graph, quantization = Graph("refused"), Quantization((0.5,), (0,))
    x = graph.input("x", (1, 2, 2, 1), "int8", quantization)
    w = graph.constant("w", np.ones((1, 1, 1, 1), "int8"), Quantization((0.5,), (3,)))
    y = graph.tensor("y", (1, 2, 2, 1), "int8", quantization)
    graph.operator("CONV_2D", [x, w], [y], padding=int(tflite.Padding.SAME), stride_h=1, stride_w=1)
    graph.output(y)
    with pytest.raises(CompileError, match="zero point other than 0"):
        run_ours(graph.to_bytes(), [])
