"""Single operators with random parameters, many to a model so that one build tests them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
from hypothesis import strategies as st

from container.tensors import Quantization
from examples.tflite_writer import Graph

SCALES = st.floats(0.002, 0.2).map(lambda value: float(np.float32(value)))
QUANTIZATIONS = st.builds(lambda scale, zero: Quantization((scale,), (zero,)), SCALES, st.integers(-128, 127))
ACTIVATIONS = st.sampled_from(["NONE", "RELU", "RELU6"]).map(
    lambda name: int(getattr(tflite.ActivationFunctionType, name))
)
PADDINGS = st.sampled_from([int(tflite.Padding.SAME), int(tflite.Padding.VALID)])


@dataclass(frozen=True)
class Window:
    """A window that fits its image; all pairs are (height, width)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    size: tuple[int, int]
    padding: int

    def output(self) -> tuple[int, int]:
        height, width = (
            -(-size // stride)
            if self.padding == tflite.Padding.SAME
            else (size - (kernel - 1) * dilation - 1) // stride + 1
            for size, kernel, stride, dilation in zip(
                self.size, self.kernel, self.stride, self.dilation, strict=True
            )
        )
        return height, width

    def options(self) -> dict[str, int]:
        return {"padding": self.padding, "stride_h": self.stride[0], "stride_w": self.stride[1]}

    def dilated_options(self) -> dict[str, int]:
        dilation = {"dilation_h_factor": self.dilation[0], "dilation_w_factor": self.dilation[1]}
        return {**self.options(), **dilation}


@st.composite
def windows(draw: st.DrawFn, *, dilated: bool = True) -> Window:
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 2), (2, 2)])) if dilated else (1, 1)
    height, width = (
        draw(st.integers((k - 1) * d + 1, (k - 1) * d + 7)) for k, d in zip(kernel, dilation, strict=True)
    )
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    return Window(kernel, stride, dilation, (height, width), draw(PADDINGS))


@dataclass(frozen=True)
class Weighted:
    """An operator with weights and bias over one input; int8, or float32 without quantisation."""

    builtin: str
    x: tuple[int, ...]
    w: tuple[int, ...]
    y: tuple[int, ...]
    channel_axis: int
    x_quantization: Quantization
    y_quantization: Quantization
    per_channel: bool
    bias: bool
    options: dict[str, Any]

    def add_int8(self, graph: Graph, generator: np.random.Generator) -> tuple[int, ...]:
        """Adds it to a graph; returns its input's shape."""
        channels = self.y[-1]
        count = channels if self.per_channel and channels > 1 else 1
        scales = tuple(float(s) for s in generator.uniform(0.001, 0.05, count).astype("float32"))
        w_quantization = Quantization(scales, (0,) * count, self.channel_axis if count > 1 else None)
        x = graph.input("x", self.x, "int8", self.x_quantization)
        weights = generator.integers(-127, 128, self.w, "int8")
        inputs = [x, graph.constant("w", weights, w_quantization)]
        if self.bias:
            products = tuple(float(np.float32(self.x_quantization.scale[0]) * np.float32(s)) for s in scales)
            quantization = Quantization(products, (0,) * count, 0 if count > 1 else None)
            values = generator.integers(-2000, 2000, channels, "int32")
            inputs.append(graph.constant("b", values, quantization))
        y = graph.tensor("y", self.y, "int8", self.y_quantization)
        graph.operator(self.builtin, inputs, [y], **self.options)
        graph.output(y)
        return self.x

    def add_int16(
        self, graph: Graph, generator: np.random.Generator, bias_dtype: str = "int64"
    ) -> tuple[int, ...]:
        """The same with 16-bit activations, whose zero points are 0."""
        channels = self.y[-1]
        count = channels if self.per_channel and channels > 1 else 1
        scales = tuple(float(s) for s in generator.uniform(0.001, 0.01, count).astype("float32"))
        x = graph.input("x", self.x, "int16", Quantization((1 / 4096,), (0,)))
        w_quantization = Quantization(scales, (0,) * count, self.channel_axis if count > 1 else None)
        inputs = [x, graph.constant("w", generator.integers(-127, 128, self.w, "int8"), w_quantization)]
        products = tuple(float(np.float32(1 / 4096) * np.float32(s)) for s in scales)
        bias = generator.integers(-200_000, 200_000, channels, bias_dtype)
        quantization = Quantization(products, (0,) * count, 0 if count > 1 else None)
        inputs.append(graph.constant("b", bias, quantization))
        y = graph.tensor("y", self.y, "int16", Quantization((1 / 2048,), (0,)))
        graph.operator(self.builtin, inputs, [y], **self.options)
        graph.output(y)
        return self.x

    def add_float32(self, graph: Graph, generator: np.random.Generator) -> tuple[int, ...]:
        x = graph.input("x", self.x, "float32")
        inputs = [x, graph.constant("w", generator.normal(0, 1, self.w).astype("float32"))]
        inputs.append(graph.constant("b", generator.normal(0, 1, self.y[-1]).astype("float32")))
        y = graph.tensor("y", self.y, "float32")
        graph.operator(self.builtin, inputs, [y], **self.options)
        graph.output(y)
        return self.x


@st.composite
def conv2d(draw: st.DrawFn) -> Weighted:
    window, depth, filters = draw(windows()), draw(st.integers(1, 5)), draw(st.integers(1, 6))
    return Weighted(
        "CONV_2D",
        (1, *window.size, depth),
        (filters, *window.kernel, depth),
        (1, *window.output(), filters),
        0,
        draw(QUANTIZATIONS),
        draw(QUANTIZATIONS),
        per_channel=True,
        bias=True,
        options={**window.dilated_options(), "fused_activation_function": draw(ACTIVATIONS)},
    )


@st.composite
def depthwise_conv2d(draw: st.DrawFn) -> Weighted:
    window, depth, times = draw(windows()), draw(st.integers(1, 5)), draw(st.integers(1, 3))
    options = {**window.dilated_options(), "depth_multiplier": times}
    return Weighted(
        "DEPTHWISE_CONV_2D",
        (1, *window.size, depth),
        (1, *window.kernel, depth * times),
        (1, *window.output(), depth * times),
        3,
        draw(QUANTIZATIONS),
        draw(QUANTIZATIONS),
        per_channel=True,
        bias=True,
        options={**options, "fused_activation_function": draw(ACTIVATIONS)},
    )


@st.composite
def fully_connected(draw: st.DrawFn) -> Weighted:
    outer, depth, units = (
        draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)),
        draw(st.integers(1, 40)),
        draw(st.integers(1, 9)),
    )
    return Weighted(
        "FULLY_CONNECTED",
        (*outer, depth),
        (units, depth),
        (int(np.prod(outer)), units),
        0,
        draw(QUANTIZATIONS),
        draw(QUANTIZATIONS),
        per_channel=False,
        bias=draw(st.booleans()),
        options={"fused_activation_function": draw(ACTIVATIONS)},
    )


@dataclass(frozen=True)
class Plain:
    """An operator without weights."""

    builtin: str
    inputs: tuple[tuple[int, ...], ...]
    y: tuple[int, ...]
    quantizations: tuple[Quantization, ...]
    """Of the inputs, then of the output."""
    options: dict[str, Any]
    constants: tuple[Sequence[int], ...] = ()
    """int32 operands after the inputs, such as axes."""

    def add(self, graph: Graph, dtype: str) -> list[tuple[int, ...]]:
        """Adds it to a graph; returns its inputs' shapes."""
        quantizations = self.quantizations if dtype == "int8" else (None,) * len(self.quantizations)
        numbers = [
            graph.input("x", shape, dtype, quantization)
            for shape, quantization in zip(self.inputs, quantizations, strict=False)
        ]
        numbers += [graph.constant("c", np.array(values, "int32")) for values in self.constants]
        y = graph.tensor("y", self.y, dtype, quantizations[-1])
        graph.operator(self.builtin, numbers, [y], **self.options)
        graph.output(y)
        return list(self.inputs)


@st.composite
def pooling(draw: st.DrawFn) -> Plain:
    window, depth, quantization = draw(windows(dilated=False)), draw(st.integers(1, 5)), draw(QUANTIZATIONS)
    extent = {"filter_height": window.kernel[0], "filter_width": window.kernel[1]}
    return Plain(
        draw(st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"])),
        ((1, *window.size, depth),),
        (1, *window.output(), depth),
        (quantization, quantization),
        {**window.options(), **extent, "fused_activation_function": draw(ACTIVATIONS)},
    )


@st.composite
def mean(draw: st.DrawFn) -> Plain:
    axes = draw(st.sampled_from([(1, 2), (1,), (3,), (0, 1, 2, 3), (2, 3), (-1,)]))
    shape = (1, draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(1, 4)))
    quantization = draw(QUANTIZATIONS)
    kept = tuple(1 if axis in axes or axis - 4 in axes else size for axis, size in enumerate(shape))
    return Plain(
        "MEAN",
        (shape,),
        kept,
        (quantization, draw(st.one_of(st.just(quantization), QUANTIZATIONS))),
        {"keep_dims": True},
        (axes,),
    )


@st.composite
def add(draw: st.DrawFn) -> Plain:
    shapes = draw(
        st.sampled_from(
            [
                ((1, 3, 4, 5), (1, 3, 4, 5)),
                ((1, 3, 4, 5), (1, 1, 1, 5)),
                ((1, 1), (1, 7)),
                ((6,), (6,)),
                ((1, 2, 1, 3), (1, 1, 4, 1)),
            ]
        )
    )
    quantizations = (draw(QUANTIZATIONS), draw(QUANTIZATIONS), draw(QUANTIZATIONS))
    shape = tuple(int(size) for size in np.broadcast_shapes(*shapes))
    return Plain("ADD", shapes, shape, quantizations, {"fused_activation_function": draw(ACTIVATIONS)})


@st.composite
def softmax(draw: st.DrawFn) -> Plain:
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 20)))
    scale = draw(st.floats(0.01, 1.0).map(lambda value: float(np.float32(value))))
    quantizations = (Quantization((scale,), (5,)), Quantization((1 / 256,), (-128,)))
    return Plain("SOFTMAX", (shape,), shape, quantizations, {"beta": draw(st.sampled_from([1.0, 0.5, 2.0]))})
