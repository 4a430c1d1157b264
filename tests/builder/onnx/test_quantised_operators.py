"""Operators between DequantizeLinear and QuantizeLinear: which integer operator each becomes, its results.

Results are compared in steps of the output's scale.  onnxruntime computes in float32, so where the exact
result is within float32's error of the middle between two integers it may round to the other one, seldom.
Scales here are no round numbers, since else exact ties would be many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from tests.builder.onnx.graphs import Graph, operators, run_onnxruntime, run_ours
from tests.builder.support import Array

SCALE, ZERO = 0.0517, -3
"""Of the inputs."""
GENERATOR = np.random.default_rng(11)


def weights(*shape: int) -> Array:
    return GENERATOR.integers(-127, 128, shape).astype("int8")


def biases(count: int) -> Array:
    return GENERATOR.integers(-2000, 2000, count).astype("int32")


def scales(count: int) -> Array:
    return GENERATOR.uniform(0.002, 0.01, count).astype("float32")


def quantised_input(graph: Graph, *shape: int, dtype: str = "int8", zero: int = ZERO) -> str:
    return graph.quantized(graph.input(shape), SCALE, zero, dtype)


def convolution(graph: Graph, x: str, shape: tuple[int, ...], **attributes: Any) -> str:
    """With weights per channel and an int32 bias."""
    steps = scales(shape[0])
    w = graph.weights(weights(*shape), steps)
    return graph.node("Conv", x, w, graph.weights(biases(shape[0]), steps * np.float32(SCALE)), **attributes)


def one_convolution(graph: Graph) -> str:
    x = quantised_input(graph, 1, 3, 9, 8)
    return graph.quantized(convolution(graph, x, (6, 3, 3, 2), pads=[1, 0, 2, 1], strides=[2, 1]), 0.2071, 5)


def convolution_with_relu(graph: Graph) -> str:
    x = quantised_input(graph, 1, 3, 9, 8)
    return graph.quantized(graph.node("Relu", convolution(graph, x, (6, 3, 3, 3))), 0.0993, -60)


def convolution_with_clip(graph: Graph) -> str:
    y = convolution(graph, quantised_input(graph, 1, 3, 9, 8), (6, 3, 3, 3))
    return graph.quantized(graph.node("Clip", y, graph.constant(-1.0), graph.constant(6.0)), 0.0993, -60)


def convolution_of_bytes(graph: Graph) -> str:
    """uint8 activations."""
    x = quantised_input(graph, 1, 2, 6, 6, dtype="uint8", zero=125)
    return graph.quantized(convolution(graph, x, (4, 2, 3, 3)), 0.2071, 131, "uint8")


def depthwise_convolution(graph: Graph) -> str:
    y = convolution(graph, quantised_input(graph, 1, 4, 9, 8), (8, 1, 3, 3), group=4, pads=[1, 1, 1, 1])
    return graph.quantized(y, 0.0993, 0)


def convolution_of_a_row(graph: Graph) -> str:
    y = convolution(graph, quantised_input(graph, 1, 4, 20), (8, 4, 5), pads=[2, 2])
    return graph.quantized(graph.node("Relu", y), 0.2071, -128)


def convolution_with_float_bias(graph: Graph) -> str:
    x = quantised_input(graph, 1, 3, 5, 5)
    w = graph.weights(weights(4, 3, 1, 1), np.float32(0.0103))
    return graph.quantized(graph.node("Conv", x, w, graph.constant([0.5, -1.0, 0.0, 2.25])), 0.0993, 0)


def two_convolutions_and_a_sum(graph: Graph) -> str:
    """Nothing but integers, and no transpose, between them."""
    x = graph.quantized(convolution(graph, quantised_input(graph, 1, 3, 8, 8), (4, 3, 3, 3)), 0.15, 2)
    y = graph.quantized(convolution(graph, x, (4, 4, 3, 3), pads=[1, 1, 1, 1]), 0.3, 0)
    return graph.quantized(graph.node("Relu", graph.node("Add", x, y)), 0.2071, -128)


def gemm(graph: Graph) -> str:
    x = quantised_input(graph, 3, 10)
    w = graph.weights(weights(7, 10), np.float32(0.0103))
    b = graph.weights(biases(7), np.float32(0.0103) * np.float32(SCALE))
    return graph.quantized(graph.node("Gemm", x, w, b, transB=1), 0.0993, 10)


def matrix_and_constant(graph: Graph) -> str:
    """The constant is quantised as a tensor of its own, so it stays a sum of its own."""
    w = graph.weights(weights(10, 7), np.float32(0.0103))
    y = graph.quantized(graph.node("MatMul", quantised_input(graph, 1, 10), w), 0.0993, 10)
    b = graph.weights(weights(7), np.float32(0.02))
    return graph.quantized(graph.node("Add", y, b), 0.0993, 0)


def flattened(graph: Graph) -> str:
    """The weights are put in the order of the channels-last image: no transpose is left before them."""
    y = graph.quantized(convolution(graph, quantised_input(graph, 1, 3, 6, 6), (4, 3, 3, 3)), 0.2071, 0)
    w = graph.weights(weights(5, 64), np.float32(0.005))
    return graph.quantized(graph.node("Gemm", graph.node("Flatten", y), w, transB=1), 0.5, 0)


def max_pool(graph: Graph) -> str:
    """It works on integers even without a pair of its own behind it."""
    x = quantised_input(graph, 1, 2, 7, 7)
    return graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0])


def image_mean(graph: Graph) -> str:
    return graph.quantized(graph.node("GlobalAveragePool", quantised_input(graph, 1, 4, 5, 5)), 0.0191, 10)


def average_pool(graph: Graph) -> str:
    """Between different scales it is a depthwise convolution with ones."""
    x = quantised_input(graph, 1, 4, 7, 6)
    y = graph.node("AveragePool", x, kernel_shape=[3, 2], strides=[2, 2])
    return graph.quantized(y, 0.0391, 10)


def qlinear_convolution(graph: Graph) -> str:
    """The form that has all scales among its inputs."""
    x = graph.node("QuantizeLinear", graph.input((1, 3, 6, 5)), *parameters(graph, SCALE, ZERO))
    w = (
        graph.constant(weights(4, 3, 3, 3), "int8"),
        graph.constant(scales(4)),
        graph.constant([0] * 4, "int8"),
    )
    y = parameters(graph, 0.2071, 4)
    inputs = (x, *parameters(graph, SCALE, ZERO), *w, *y, graph.constant(biases(4), "int32"))
    return graph.node("DequantizeLinear", graph.node("QLinearConv", *inputs), *y)


def qlinear_matrix_product(graph: Graph) -> str:
    """With a scale for each column."""
    x = graph.node("QuantizeLinear", graph.input((2, 10)), *parameters(graph, SCALE, ZERO))
    w = graph.constant(weights(10, 7), "int8"), graph.constant(scales(7)), graph.constant([0] * 7, "int8")
    y = parameters(graph, 0.0993, 4)
    product = graph.node("QLinearMatMul", x, *parameters(graph, SCALE, ZERO), *w, *y)
    return graph.node("DequantizeLinear", product, *y)


def parameters(graph: Graph, scale: float, zero: int) -> tuple[str, str]:
    return graph.constant(scale), graph.constant(zero, "int8")


def concatenation(graph: Graph) -> str:
    """Parts of other scales are brought to the result's."""
    x = graph.quantized(graph.input((1, 4)), 0.0993, 0)
    y = graph.quantized(graph.input((1, 3)), 0.03, -20)
    return graph.quantized(graph.node("Concat", x, y, axis=1), 0.0993, 0)


def softmax(graph: Graph) -> str:
    return graph.quantized(graph.node("Softmax", quantised_input(graph, 2, 9)), 1 / 256, -128)


def float_between(graph: Graph) -> str:
    """What has no integer operator stays in float."""
    return graph.quantized(graph.node("Sigmoid", quantised_input(graph, 2, 9)), 1 / 256, -128)


CASES: dict[Callable[[Graph], str], list[str]] = {
    one_convolution: ["quantize", "relax.permute_dims", "conv2d", "relax.permute_dims", "dequantize"],
    convolution_with_relu: ["quantize", "relax.permute_dims", "conv2d", "relax.permute_dims", "dequantize"],
    convolution_with_clip: ["quantize", "relax.permute_dims", "conv2d", "relax.permute_dims", "dequantize"],
    convolution_of_bytes: ["quantize", "relax.permute_dims", "conv2d", "relax.permute_dims", "dequantize"],
    depthwise_convolution: [
        *("quantize", "relax.permute_dims", "depthwise_conv2d", "relax.permute_dims", "dequantize"),
    ],
    convolution_of_a_row: [
        *("quantize", "relax.reshape", "relax.permute_dims", "conv2d", "relax.permute_dims"),
        *("relax.reshape", "dequantize"),
    ],
    convolution_with_float_bias: [
        *("quantize", "relax.permute_dims", "conv2d", "relax.permute_dims", "dequantize"),
    ],
    two_convolutions_and_a_sum: [
        *("quantize", "relax.permute_dims", "conv2d", "conv2d", "add", "relax.permute_dims", "dequantize"),
    ],
    gemm: ["quantize", "fully_connected", "dequantize"],
    matrix_and_constant: ["quantize", "fully_connected", "add", "dequantize"],
    flattened: [
        *("quantize", "relax.permute_dims", "conv2d", "relax.reshape", "fully_connected", "dequantize"),
    ],
    max_pool: ["quantize", "relax.permute_dims", "max_pool2d", "relax.permute_dims", "dequantize"],
    average_pool: [
        *("quantize", "relax.permute_dims", "depthwise_conv2d", "relax.permute_dims", "dequantize"),
    ],
    qlinear_convolution: ["quantize", "relax.permute_dims", "conv2d", "relax.permute_dims", "dequantize"],
    qlinear_matrix_product: ["quantize", "fully_connected", "dequantize"],
    image_mean: ["quantize", "relax.permute_dims", "mean", "relax.reshape", "dequantize"],
    concatenation: ["quantize", "quantize", "quantize", "relax.concat", "dequantize"],
    softmax: ["quantize", "softmax", "dequantize"],
    float_between: ["quantize", "dequantize", "relax.sigmoid", "quantize", "dequantize"],
}
"""A model, and the operators that it becomes."""
SOFTMAX_STEPS = 1
"""Its exponentials come from a table in fixed point."""


def result_scale(make: Callable[[Graph], str]) -> float:
    """Steps are counted in the smallest distance between two values of the output."""
    return {"softmax": 1 / 256, "float_between": 1 / 256, "image_mean": 0.0191, "average_pool": 0.0391}.get(
        make.__name__, 0.05
    )


@pytest.mark.parametrize("make", CASES, ids=lambda make: str(make.__name__))
def test_a_quantised_operator_is_an_integer_operator(make: Callable[[Graph], str]) -> None:
    graph = Graph()
    graph.output(make(graph))
    assert operators(graph.model()) == CASES[make]


def test_integer_operators_agree_with_onnxruntime() -> None:
    """All of them in one model."""
    graph = Graph()
    for make in CASES:
        graph.output(make(graph))
    model = graph.model()
    samples = [[GENERATOR.normal(0, 3, shape).astype("float32") for shape in graph.shapes] for _ in range(20)]
    expected = run_onnxruntime(model, samples)
    for profile, found in run_ours(model, samples).items():
        for port, make in enumerate(CASES):
            ours, theirs = (np.stack([outputs[port] for outputs in run]) for run in (found, expected))
            steps = np.abs(ours - theirs) / result_scale(make)
            message = f"{profile}, {make.__name__}"
            if make is softmax:
                assert steps.max() <= SOFTMAX_STEPS, message
            else:
                assert np.mean(steps > 1e-3) <= 1e-3, message


def test_average_pooling_rounds_ties_to_even() -> None:
    """Means that lie between two integers: -2.5, -1.5, -0.5, 0.5, 1.5 and 2.5 steps from the zero point."""
    graph = Graph()
    x = graph.quantized(graph.input((1, 1, 2, 12)), 1.0, -7)
    graph.output(graph.quantized(graph.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), 1.0, -7))
    sums = np.array([-10, -6, -2, 2, 6, 10])
    image = np.zeros((1, 1, 2, 12), "float32")
    image[0, 0, 0, ::2], image[0, 0, 1, 1::2] = sums // 2, sums - sums // 2
    assert operators(graph.model()) == [
        "quantize",
        "relax.reshape",
        "average_pool2d",
        "relax.reshape",
        "dequantize",
    ]
    for ((found,),) in run_ours(graph.model(), [[image]]).values():
        assert found.reshape(-1).tolist() == [-2, -2, 0, 0, 2, 2]


def test_quantize_rounds_ties_to_even_and_saturates() -> None:
    graph = Graph()
    x = graph.input((9,))
    y = graph.node("QuantizeLinear", x, graph.constant(0.5), graph.constant(1, "int8"))
    graph.output(y, TensorProto.INT8)
    values = np.array([-0.75, -0.25, 0.25, 0.75, 1.25, 1e9, -3e9, np.inf, -np.inf], "float32")
    for ((found,),) in run_ours(graph.model(), [[values]]).values():
        assert found.tolist() == [-1, 1, 1, 3, 3, 127, -128, 127, -128]


def test_weights_of_a_float_operator_become_floats() -> None:
    """Weights with a zero point have no integer operator: the layer computes what it says, in float."""
    graph = Graph()
    inputs = graph.constant(weights(7, 10), "int8"), graph.constant(0.01), graph.constant(5, "int8")
    w = graph.node("DequantizeLinear", *inputs)
    graph.output(graph.quantized(graph.node("Gemm", quantised_input(graph, 1, 10), w, transB=1), 0.0993, 10))
    assert operators(graph.model()) == ["quantize", "dequantize", "fully_connected", "quantize", "dequantize"]
    samples = [[GENERATOR.normal(0, 3, (1, 10)).astype("float32")] for _ in range(10)]
    expected = run_onnxruntime(graph.model(), samples)
    for found in run_ours(graph.model(), samples).values():
        assert np.abs(np.array(found) - np.array(expected)).max() < 1e-6


def test_integers_in_and_out() -> None:
    """A model whose ports are uint8: nothing of it is float."""
    graph = Graph()
    x = graph.input((1, 6), TensorProto.UINT8)
    parameters = graph.constant(0.05), graph.constant(120, "uint8")
    real = graph.node("DequantizeLinear", x, *parameters)
    y = graph.node("Gemm", real, graph.weights(weights(4, 6), np.float32(0.0103)), transB=1)
    graph.output(graph.node("QuantizeLinear", y, *parameters), TensorProto.UINT8)
    assert operators(graph.model()) == ["quantize", "fully_connected", "quantize"]
    samples = [[GENERATOR.integers(0, 256, (1, 6)).astype("uint8")] for _ in range(20)]
    expected = run_onnxruntime(graph.model(), samples)
    for found in run_ours(graph.model(), samples).values():
        np.testing.assert_array_equal(found, expected)


def test_sums_round_ties_to_even() -> None:
    """Scales are powers of two, so that a 16th of a sum is often a tie, and float64 has it exactly."""
    graph, w = Graph(), GENERATOR.integers(-20, 21, (5, 8)).astype("int8")
    x = graph.quantized(graph.input((3, 8)), 0.5, 0)
    graph.output(graph.quantized(graph.node("Gemm", x, graph.weights(w, np.float32(0.25)), transB=1), 2.0, 3))
    samples = [GENERATOR.integers(-128, 128, (3, 8)) for _ in range(40)]
    sums = np.array(samples) @ w.T.astype("int64")
    assert np.count_nonzero(sums % 16 == 8) > 20
    wanted = (np.rint(sums / 16) + 3).clip(-128, 127) - 3
    for found in run_ours(graph.model(), [[0.5 * sample.astype("float32")] for sample in samples]).values():
        np.testing.assert_array_equal(np.array(found)[:, 0], 2.0 * wanted)
