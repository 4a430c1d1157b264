"""Rectifiers: max(x, 0), and those with an upper bound too.

RELU: int8, int16 are brought to the output's scale, M * (x - x_zero) + y_zero with M = scale_x / scale_y, and
clamped there.  Source: ReluQuantized and CalculateReluOpData in
tensorflow/lite/micro/kernels/activations_common.cc.
RELU6: int8, int16 are clamped to the input's own steps for 0 and 6, so both sides must stand for the same
numbers.  Source: Relu6Quantized and Relu6Prepare there.
RELU_N1_TO_1, RELU_0_TO_1: float32 only; TensorFlow Lite Micro has neither.
"""

from __future__ import annotations

from typing import Any, ClassVar

from builder import tir
from builder.elementwise import (
    Unary,
    centred,
    output_bounds,
    requantized_element,
    require_equal_quantization,
    require_zero_point_0,
    same,
    scaling,
)
from builder.fixed_point import activation_range, multiply, quantize_multiplier
from builder.operators.base import Node, dtype_of, per_tensor
from builder.operators.lookup import Clamp, Lookup


class Rectifier(Unary):
    """float32 within bounds."""

    bounds: ClassVar[tuple[float, float | None]]

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("float32", "float32"))
        return self.of(node)

    def of(self, node: Node, attributes: dict[str, int | str] | None = None) -> Any:
        """The call on a node's input.  Raises Unsupported when its output has another shape."""
        node.require_output_shape(*node.input(0).shape)
        return self.call([node.value(0)], attributes or {}, node.output().shape, node.output().dtype)

    def element(self, call: Any, *operands: Any) -> Any:
        return tir.clamp(operands[0], *self.bounds)


class Relu(Rectifier):
    name = "relu"
    tflite = ("RELU",)
    bounds = (0.0, None)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "int16", "float32", inputs=1))
        if dtype == "float32":
            return self.of(node)
        require_zero_point_0(node, dtype, inputs=1)
        (scale_x, zero_x), (scale, zero) = per_tensor(node.input(0)), per_tensor(node.output())
        low, high = activation_range("RELU", scale, zero, dtype)
        if dtype == "int16":
            factor = scaling("y", scale_x / scale)
            return self.of(node, {"zero_x": zero_x, "zero": zero, **factor, **output_bounds(node, "RELU")})
        node.require_output_shape(*node.input(0).shape)
        factors = quantize_multiplier(scale_x / scale)
        return Lookup().of(
            node.value(0), lambda x: max(low, min(high, multiply(x - zero_x, *factors) + zero))
        )

    def element(self, call: Any, *operands: Any) -> Any:
        if dtype_of(call) == "float32":
            return super().element(call, *operands)
        return requantized_element(call, centred(call.attrs, "x", operands[0]))


class Relu6(Rectifier):
    name = "relu6"
    tflite = ("RELU6",)
    bounds = (0.0, 6.0)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "int16", "float32", inputs=1))
        if dtype == "float32":
            return self.of(node)
        node.require_output_shape(*node.input(0).shape)
        require_equal_quantization(node, [0])
        low, high = activation_range("RELU6", *per_tensor(node.input(0)), dtype)
        return Clamp().between(node.value(0), low, high)


class ReluN1To1(Rectifier):
    name = "relu_n1_to_1"
    tflite = ("RELU_N1_TO_1",)
    bounds = (-1.0, 1.0)


class Relu0To1(Rectifier):
    name = "relu_0_to_1"
    tflite = ("RELU_0_TO_1",)
    bounds = (0.0, 1.0)
