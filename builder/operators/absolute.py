"""|x|.

int8, int16: the distance from the zero point, brought to the output's scale; int16 is symmetric.
int16 without quantisation: |x|, where |-32768| is -32768.
Source: AbsEvalQuantized in tensorflow/lite/micro/kernels/elementwise.cc.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.elementwise import (
    Unary,
    centred,
    output_bounds,
    requantized_element,
    requantized_number,
    require_zero_point_0,
    same,
    scaling,
)
from builder.operators.base import Node, dtype_of, per_tensor
from builder.operators.lookup import Lookup


class Absolute(Unary):
    name = "absolute"
    tflite = ("ABS",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "int16", "float32", inputs=1))
        if dtype == "float32" or (dtype == "int16" and node.input(0).quantization is None):
            return self.same_shape_call(node, {})
        require_zero_point_0(node, dtype, inputs=1)
        (scale_x, zero_x), (scale, zero) = per_tensor(node.input(0)), per_tensor(node.output())
        attributes = {**scaling("y", scale_x / scale), **output_bounds(node, "NONE"), "zero": zero}
        if dtype == "int16":
            return self.same_shape_call(node, {**attributes, "zero_x": zero_x})
        return Lookup().of(node, lambda x: requantized_number(attributes, abs(x - zero_x)))

    def element(self, call: Any, *operands: Any) -> Any:
        (x,) = operands
        if dtype_of(call) == "float32":
            return tir.call("float32", "fabsf", x)
        value = centred(call.attrs, "x", x) if "zero" in call.attrs else tir.cast("int32", x)
        magnitude = tir.maximum(value, 0 - value)
        return requantized_element(call, magnitude) if "zero" in call.attrs else tir.cast("int16", magnitude)
