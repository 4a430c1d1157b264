"""Integer operators equal TensorFlow Lite Micro to the last bit, over random shapes and scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st

from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro, float_samples, int8_samples

SCALES = st.floats(0.002, 0.2).map(lambda value: float(np.float32(value)))
ZEROS = st.integers(-128, 127)
QUANTIZATIONS = st.builds(lambda scale, zero: Quantization((scale,), (zero,)), SCALES, ZEROS)
ACTIVATIONS = st.sampled_from(["NONE", "RELU", "RELU6"])
PADDINGS = st.sampled_from(["SAME", "VALID"])
SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=8)


def activation(name: str) -> int:
    return int(getattr(tflite.ActivationFunctionType, name))


def padding(name: str) -> int:
    return int(getattr(tflite.Padding, name))


def output_size(size: int, kernel: int, stride: int, dilation: int, pad: str) -> int:
    extent = (kernel - 1) * dilation + 1
    return -(-size // stride) if pad == "SAME" else (size - extent) // stride + 1


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    """A window that fits its image."""
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 2), (2, 2)]))
    size = tuple(
        draw(st.integers((k - 1) * d + 1, (k - 1) * d + 7)) for k, d in zip(kernel, dilation, strict=True)
    )
    return {"kernel": kernel, "stride": stride, "dilation": dilation, "size": size, "padding": draw(PADDINGS)}


def output_shape(window: dict[str, Any], channels: int) -> tuple[int, ...]:
    sizes = [
        output_size(*values, window["padding"])
        for values in zip(window["size"], window["kernel"], window["stride"], window["dilation"], strict=True)
    ]
    return (1, *sizes, channels)


def channel_quantization(generator: np.random.Generator, channels: int, axis: int) -> Quantization:
    scales = generator.uniform(0.001, 0.05, channels).astype("float32")
    return Quantization(tuple(float(s) for s in scales), (0,) * channels, axis if channels > 1 else None)


def weighted_graph(
    builtin: str,
    shapes: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]],
    quantizations: tuple[Quantization, Quantization, Quantization],
    generator: np.random.Generator,
    bias: bool,
    **options: Any,
) -> bytes:
    """One operator with weights, int8."""
    (x_shape, w_shape, y_shape), (x_q, w_q, y_q) = shapes, quantizations
    graph = Graph("operator")
    x = graph.input("x", x_shape, "int8", x_q)
    inputs = [x, graph.constant("w", generator.integers(-127, 128, w_shape, "int8"), w_q)]
    if bias:
        scales = tuple(float(np.float32(x_q.scale[0]) * np.float32(s)) for s in w_q.scale)
        values = generator.integers(-2000, 2000, y_shape[-1], "int32")
        inputs.append(graph.constant("b", values, Quantization(scales, (0,) * len(scales), w_q.axis and 0)))
    y = graph.tensor("y", y_shape, "int8", y_q)
    graph.operator(builtin, inputs, [y], **options)
    graph.output(y)
    return graph.to_bytes()


@few
@given(windows(), QUANTIZATIONS, QUANTIZATIONS, ACTIVATIONS, st.integers(1, 5), st.integers(1, 6), SEEDS)
def test_conv2d(
    window: dict[str, Any],
    x_q: Quantization,
    y_q: Quantization,
    act: str,
    depth: int,
    filters: int,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    x_shape = (1, *window["size"], depth)
    model = weighted_graph(
        "CONV_2D",
        (x_shape, (filters, *window["kernel"], depth), output_shape(window, filters)),
        (x_q, channel_quantization(generator, filters, 0), y_q),
        generator,
        bias=True,
        padding=padding(window["padding"]),
        stride_h=window["stride"][0],
        stride_w=window["stride"][1],
        dilation_h_factor=window["dilation"][0],
        dilation_w_factor=window["dilation"][1],
        fused_activation_function=activation(act),
    )
    assert_equals_tflite_micro(model, int8_samples([x_shape], seed))


@few
@given(windows(), QUANTIZATIONS, QUANTIZATIONS, ACTIVATIONS, st.integers(1, 5), st.integers(1, 3), SEEDS)
def test_depthwise_conv2d(
    window: dict[str, Any], x_q: Quantization, y_q: Quantization, act: str, depth: int, times: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    x_shape, channels = (1, *window["size"], depth), depth * times
    model = weighted_graph(
        "DEPTHWISE_CONV_2D",
        (x_shape, (1, *window["kernel"], channels), output_shape(window, channels)),
        (x_q, channel_quantization(generator, channels, 3), y_q),
        generator,
        bias=True,
        padding=padding(window["padding"]),
        stride_h=window["stride"][0],
        stride_w=window["stride"][1],
        dilation_h_factor=window["dilation"][0],
        dilation_w_factor=window["dilation"][1],
        depth_multiplier=times,
        fused_activation_function=activation(act),
    )
    assert_equals_tflite_micro(model, int8_samples([x_shape], seed))


@few
@given(
    st.lists(st.integers(1, 3), max_size=3),
    st.integers(1, 40),
    st.integers(1, 9),
    QUANTIZATIONS,
    QUANTIZATIONS,
    ACTIVATIONS,
    st.booleans(),
    SEEDS,
)
def test_fully_connected(
    outer: list[int],
    depth: int,
    units: int,
    x_q: Quantization,
    y_q: Quantization,
    act: str,
    bias: bool,
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    rows = int(np.prod(outer, dtype=int))
    x_shape = (*outer, depth) if outer else (1, depth)
    w_q = Quantization((float(np.float32(generator.uniform(0.001, 0.05))),), (0,))
    model = weighted_graph(
        "FULLY_CONNECTED",
        (x_shape, (units, depth), (rows, units)),
        (x_q, w_q, y_q),
        generator,
        bias=bias,
        fused_activation_function=activation(act),
    )
    assert_equals_tflite_micro(model, int8_samples([x_shape], seed))


@few
@given(
    st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]),
    windows(),
    QUANTIZATIONS,
    ACTIVATIONS,
    st.integers(1, 5),
    SEEDS,
)
def test_pooling(
    builtin: str, window: dict[str, Any], quantization: Quantization, act: str, depth: int, seed: int
) -> None:
    window["dilation"] = (1, 1)
    x_shape = (1, *window["size"], depth)
    graph = Graph("pool")
    x = graph.input("x", x_shape, "int8", quantization)
    y = graph.tensor("y", output_shape(window, depth), "int8", quantization)
    graph.operator(
        builtin,
        [x],
        [y],
        padding=padding(window["padding"]),
        stride_h=window["stride"][0],
        stride_w=window["stride"][1],
        filter_height=window["kernel"][0],
        filter_width=window["kernel"][1],
        fused_activation_function=activation(act),
    )
    graph.output(y)
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples([x_shape], seed))


@few
@given(
    st.sampled_from([(1, 2), (1,), (3,), (0, 1, 2, 3), (2, 3)]),
    QUANTIZATIONS,
    QUANTIZATIONS,
    st.booleans(),
    SEEDS,
)
def test_mean(axes: tuple[int, ...], x_q: Quantization, y_q: Quantization, same: bool, seed: int) -> None:
    shape = (1, 5, 4, 3)
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    graph = Graph("mean")
    x = graph.input("x", shape, "int8", x_q)
    y = graph.tensor("y", kept, "int8", x_q if same else y_q)
    graph.operator("MEAN", [x, graph.constant("axes", np.array(axes, "int32"))], [y], keep_dims=True)
    graph.output(y)
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples([shape], seed))


@few
@given(
    st.sampled_from(
        [((1, 3, 4, 5), (1, 3, 4, 5)), ((1, 3, 4, 5), (1, 1, 1, 5)), ((1, 1), (1, 7)), ((6,), (6,))]
    ),
    QUANTIZATIONS,
    QUANTIZATIONS,
    QUANTIZATIONS,
    ACTIVATIONS,
    SEEDS,
)
def test_add(
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    a_q: Quantization,
    b_q: Quantization,
    y_q: Quantization,
    act: str,
    seed: int,
) -> None:
    graph = Graph("add")
    a = graph.input("a", shapes[0], "int8", a_q)
    b = graph.input("b", shapes[1], "int8", b_q)
    y = graph.tensor("y", np.broadcast_shapes(*shapes), "int8", y_q)
    graph.operator("ADD", [a, b], [y], fused_activation_function=activation(act))
    graph.output(y)
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples(shapes, seed, count=30))


@few
@given(
    st.floats(0.01, 1.0).map(lambda value: float(np.float32(value))),
    st.sampled_from([1.0, 0.5, 2.0]),
    st.integers(1, 20),
    SEEDS,
)
def test_softmax(scale: float, beta: float, depth: int, seed: int) -> None:
    shape = (3, depth)
    graph = Graph("softmax")
    x = graph.input("x", shape, "int8", Quantization((scale,), (5,)))
    y = graph.tensor("y", shape, "int8", Quantization((1 / 256,), (-128,)))
    graph.operator("SOFTMAX", [x], [y], beta=beta)
    graph.output(y)
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples([shape], seed, count=30))


@few
@given(QUANTIZATIONS, QUANTIZATIONS, SEEDS)
def test_requantize_and_dequantize(x_q: Quantization, y_q: Quantization, seed: int) -> None:
    shape = (2, 9)
    graph = Graph("requantize")
    x = graph.input("x", shape, "int8", x_q)
    y = graph.tensor("y", shape, "int8", y_q)
    z = graph.tensor("z", shape, "float32")
    graph.operator("QUANTIZE", [x], [y])
    graph.operator("DEQUANTIZE", [y], [z])
    graph.output(y)
    graph.output(z)
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples([shape], seed))


@few
@given(QUANTIZATIONS, SEEDS)
def test_quantize_from_float(quantization: Quantization, seed: int) -> None:
    shape = (4, 16)
    graph = Graph("quantize")
    x = graph.input("x", shape, "float32")
    y = graph.tensor("y", shape, "int8", quantization)
    graph.operator("QUANTIZE", [x], [y])
    graph.output(y)
    generator = np.random.default_rng(seed)
    ties = (generator.integers(-300, 300, shape) + 0.5) * np.float32(quantization.scale[0])
    assert_equals_tflite_micro(graph.to_bytes(), [*float_samples([shape], seed), [ties.astype("float32")]])
