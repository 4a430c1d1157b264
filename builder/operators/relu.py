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
from builder.families.elementwise import (
    Unary,
    centred,
    output_bounds,
    requantized_element,
    requantized_number,
    require_equal_quantization,
    require_zero_point_0,
    same,
    scaling,
)
from builder.fixed_point import activation_range
from builder.operators.base import Node, dtype_of, per_tensor
from builder.operators.lookup import Clamp, Lookup


class Rectifier(Unary):
    """float32 within bounds."""

    bounds: ClassVar[tuple[float, float | None]]

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("float32", "float32"))
        return self.same_shape_call(node, {})

    def element(self, call: Any, *operands: Any) -> Any:
        return tir.clamp(operands[0], *self.bounds)


class Relu(Rectifier):
    name = "relu"
    tflite = ("RELU",)
    bounds = (0.0, None)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "int16", "float32", inputs=1))
        if dtype == "float32":
            return self.same_shape_call(node, {})
        require_zero_point_0(node, dtype, inputs=1)
        (scale_x, zero_x), (scale, zero) = per_tensor(node.input(0)), per_tensor(node.output())
        attributes = {**scaling("y", scale_x / scale), **output_bounds(node, "RELU"), "zero": zero}
        if dtype == "int16":
            return self.same_shape_call(node, {**attributes, "zero_x": zero_x})
        return Lookup().of(node, lambda x: requantized_number(attributes, x - zero_x))

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
            return self.same_shape_call(node, {})
        require_equal_quantization(node, [0])
        low, high = activation_range("RELU6", *per_tensor(node.input(0)), dtype)
        return Clamp().between(node, low, high)


class ReluN1To1(Rectifier):
    name = "relu_n1_to_1"
    tflite = ("RELU_N1_TO_1",)
    bounds = (-1.0, 1.0)


class Relu0To1(Rectifier):
    name = "relu_0_to_1"
    tflite = ("RELU_0_TO_1",)
    bounds = (0.0, 1.0)
