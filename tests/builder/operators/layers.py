"""Layers of int8 or int16 with random weights: what the tests of kernels put into models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite

from container.tensors import Quantization
from examples.tflite_writer import Graph

SAME, VALID = int(tflite.Padding.SAME), int(tflite.Padding.VALID)
NONE, RELU = (int(getattr(tflite.ActivationFunctionType, name)) for name in ("NONE", "RELU"))


@dataclass(frozen=True)
class Layer:
    """A layer of int8 weights, its shapes as TensorFlow Lite has them."""

    builtin: str
    x: tuple[int, ...]
    weights: tuple[int, ...]
    y: tuple[int, ...]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: int = SAME
    activation: int = NONE
    weight_scale: float = 0.004
    y_scale: float = 0.5
    x_zero: int = -7
    y_zero: int = 5
    extreme: int | None = None
    """All weights and the sign of all biases."""
    dtype: str = "int8"
    """Of input and output; those of int16 have the zero point 0."""
    bias_dtype: str = "int32"

    @property
    def channel_axis(self) -> int:
        return 3 if self.builtin == "DEPTHWISE_CONV_2D" else 0

    def options(self) -> dict[str, int]:
        if self.builtin == "FULLY_CONNECTED":
            return {"fused_activation_function": self.activation}
        window = {"padding": self.padding, "stride_h": self.stride[0], "stride_w": self.stride[1]}
        dilation = {"dilation_h_factor": self.dilation[0], "dilation_w_factor": self.dilation[1]}
        multiplier = {"depth_multiplier": self.y[3] // self.x[3]} if self.channel_axis else {}
        return {**window, **dilation, **multiplier, "fused_activation_function": self.activation}

    def add(self, graph: Graph, generator: np.random.Generator) -> None:
        channels = self.weights[self.channel_axis]
        scales = tuple(
            float(np.float32(self.weight_scale * part)) for part in generator.uniform(0.5, 1, channels)
        )
        axis = None if channels == 1 else self.channel_axis
        x_zero, y_zero = (self.x_zero, self.y_zero) if self.dtype == "int8" else (0, 0)
        values = generator.integers(-128, 128, self.weights).astype("int8")
        bias = generator.integers(-3000, 3000, channels).astype(self.bias_dtype)
        if self.extreme is not None:
            values[...] = self.extreme
            bias[...] = 30000 * np.sign(self.extreme)
        x = graph.input("x", self.x, self.dtype, Quantization((0.05,), (x_zero,)))
        w = graph.constant("w", values, Quantization(scales, (0,) * channels, axis))
        products = tuple(float(np.float32(0.05) * np.float32(s)) for s in scales)
        b = graph.constant("b", bias, Quantization(products, (0,) * channels, None if axis is None else 0))
        y = graph.tensor("y", self.y, self.dtype, Quantization((self.y_scale,), (y_zero,)))
        graph.operator(self.builtin, [x, w, b], [y], **self.options())
        graph.output(y)


def conv(
    x: tuple[int, int, int], channels: int, kernel: tuple[int, int], y: tuple[int, int], **more: Any
) -> Layer:
    return Layer("CONV_2D", (1, *x), (channels, *kernel, x[2]), (1, *y, channels), **more)


def depthwise(
    x: tuple[int, int, int], channels: int, kernel: tuple[int, int], y: tuple[int, int], **more: Any
) -> Layer:
    return Layer("DEPTHWISE_CONV_2D", (1, *x), (1, *kernel, channels), (1, *y, channels), **more)


def fully_connected(rows: int, depth: int, units: int, **more: Any) -> Layer:
    return Layer("FULLY_CONNECTED", (rows, depth), (units, depth), (rows, units), **more)
