"""Transposed convolutions, products of matrices and L2 pooling against TensorFlow Lite Micro."""

from __future__ import annotations

import numpy as np
import pytest
import tflite
from hypothesis import strategies as st

from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import run_ours
from tests.builder.operators.graphs import ACTIVATIONS, PADDINGS, windows
from tests.builder.operators.mixtures import Add, Values, check_mixture, elements, integers, quantizations


@st.composite
def transpose_conv(draw: st.DrawFn, dtype: str) -> Add:
    height, width, depth = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 5))
    kernel, stride = (draw(st.tuples(st.integers(1, 4), st.integers(1, 4))) for _ in range(2))
    filters, padding, bias = draw(st.integers(1, 4)), draw(PADDINGS), draw(st.booleans())
    same = padding == tflite.Padding.SAME
    size = [
        pixels * step if same else (pixels - 1) * step + max(extent, step)
        for pixels, step, extent in zip((height, width), stride, kernel, strict=True)
    ]
    source, target = draw(quantizations(dtype)), draw(quantizations(dtype))

    def add(graph: Graph, generator: np.random.Generator) -> list[Values]:
        shape, result = (1, height, width, depth), (1, *size, filters)
        weights = (filters, *kernel, depth)
        if source is None:
            w = graph.constant("w", generator.normal(0, 1, weights).astype("float32"))
            b = graph.constant("b", generator.normal(0, 1, filters).astype("float32"))
        else:
            scales = tuple(float(s) for s in generator.uniform(0.001, 0.05, filters).astype("float32"))
            per_channel = Quantization(scales, (0,) * filters, 0 if filters > 1 else None)
            w = graph.constant("w", generator.integers(-127, 128, weights, "int8"), per_channel)
            products = tuple(float(np.float32(source.scale[0]) * np.float32(s)) for s in scales)
            biases = generator.integers(-2000, 2000, filters, "int32" if dtype == "int8" else "int64")
            b = graph.constant("b", biases, Quantization(products, (0,) * filters, per_channel.axis))
        x = graph.input("x", shape, dtype, source)
        y = graph.tensor("y", result, dtype, target)
        operands = [graph.constant("shape", integers(result)), w, x, *([b] if bias else [])]
        options = {"stride_h": stride[0], "stride_w": stride[1], "padding": padding}
        graph.operator("TRANSPOSE_CONV", operands, [y], **options)
        graph.output(y)
        return [elements(shape, dtype)]

    return add


@st.composite
def batch_matmul(draw: st.DrawFn, dtype: str) -> Add:
    rows, depth, columns = (draw(st.integers(1, 9)) for _ in range(3))
    adj_x, adj_y, constant = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    outer = draw(
        st.sampled_from([((2,), (2,)), ((1,), (3,)), ((3,), (1,)), ((2, 1), (1, 3)), ((), ()), ((2,), ())])
    )
    left = (*outer[0], depth, rows) if adj_x else (*outer[0], rows, depth)
    right = (*outer[1], columns, depth) if adj_y else (*outer[1], depth, columns)
    result = (*np.broadcast_shapes(*outer), rows, columns)
    source, weights, target = (draw(quantizations(dtype)) for _ in range(3))

    def add(graph: Graph, generator: np.random.Generator) -> list[Values]:
        a = graph.input("a", left, dtype, source)
        if constant:
            values = generator.normal(0, 40, right).astype(dtype)
            b = graph.constant("b", values, weights)
        else:
            b = graph.input("b", right, dtype, weights)
        y = graph.tensor("y", result, dtype, target)
        graph.operator("BATCH_MATMUL", [a, b], [y], adj_x=adj_x, adj_y=adj_y)
        graph.output(y)
        return [elements(shape, dtype) for shape in ((left,) if constant else (left, right))]

    return add


@st.composite
def l2_pool(draw: st.DrawFn) -> Add:
    window, depth, activation = draw(windows(dilated=False)), draw(st.integers(1, 4)), draw(ACTIVATIONS)

    def add(graph: Graph, generator: np.random.Generator) -> list[Values]:
        shape = (1, *window.size, depth)
        x, y = graph.input("x", shape, "float32"), graph.tensor("y", (1, *window.output(), depth), "float32")
        extent = {"filter_height": window.kernel[0], "filter_width": window.kernel[1]}
        graph.operator(
            "L2_POOL_2D", [x], [y], **window.options(), **extent, fused_activation_function=activation
        )
        graph.output(y)
        return [elements(shape, "float32")]

    return add


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_transposed_convolutions_and_products_of_matrices(dtype: str) -> None:
    pools = [l2_pool()] if dtype == "float32" else []
    check_mixture(transpose_conv(dtype), batch_matmul(dtype), *pools, each=6)


def test_a_pixel_spreads_over_the_kernel() -> None:
    """One pixel of 1 gives the 2 x 2 kernel back, at the place of the other pixel, 2 steps to the right."""
    graph = Graph("transpose_conv")
    weights = graph.constant("w", np.array([1, 2, 3, 4], "float32").reshape(1, 2, 2, 1))
    x, y = graph.input("x", (1, 1, 2, 1), "float32"), graph.tensor("y", (1, 2, 4, 1), "float32")
    shape = graph.constant("shape", integers([1, 2, 4, 1]))
    options = {"stride_h": 2, "stride_w": 2, "padding": int(tflite.Padding.VALID)}
    graph.operator("TRANSPOSE_CONV", [shape, weights, x], [y], **options)
    graph.output(y)
    for outputs in run_ours(graph.to_bytes(), [[np.array([0, 1], "float32").reshape(1, 1, 2, 1)]]).values():
        assert outputs[0][0].reshape(2, 4).tolist() == [[0, 0, 1, 2], [0, 0, 3, 4]]
