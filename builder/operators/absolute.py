"""|x|.

int8, int16: the distance from the zero point, brought to the output's scale; int16 is symmetric.
int16 without quantisation: |x|, where |-32768| is -32768.
Source: AbsEvalQuantized in tensorflow/lite/micro/kernels/elementwise.cc.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.elementwise import (
    Unary,
    centred,
    output_bounds,
    requantized_element,
    require_zero_point_0,
    same,
    scaling,
)
from builder.fixed_point import INTEGER_RANGE, multiply, quantize_multiplier
from builder.operators.base import Node, dtype_of, per_tensor
from builder.operators.lookup import Lookup


class Absolute(Unary):
    name = "absolute"
    tflite = ("ABS",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "int16", "float32", inputs=1))
        node.require_output_shape(*node.input(0).shape)
        if dtype == "int8":
            return self._int8(node)
        attributes: dict[str, int | str] = {}
        if dtype == "int16" and node.input(0).quantization is not None:
            require_zero_point_0(node, dtype, inputs=1)
            factor = scaling("y", per_tensor(node.input(0))[0] / per_tensor(node.output())[0])
            attributes = {**factor, **output_bounds(node, "NONE"), "zero_x": 0, "zero": 0}
        return self.call([node.value(0)], attributes, node.output().shape, dtype)

    def _int8(self, node: Node) -> Any:
        (scale_x, zero_x), (scale, zero) = per_tensor(node.input(0)), per_tensor(node.output())
        factor, (low, high) = quantize_multiplier(scale_x / scale), INTEGER_RANGE["int8"]
        return Lookup().of(
            node.value(0), lambda x: max(low, min(high, multiply(abs(x - zero_x), *factor) + zero))
        )

    def element(self, call: Any, *operands: Any) -> Any:
        (x,) = operands
        if dtype_of(call) == "float32":
            return tir.call("float32", "fabsf", x)
        value = centred(call.attrs, "x", x) if "zero" in call.attrs else tir.cast("int32", x)
        magnitude = tir.maximum(value, 0 - value)
        return requantized_element(call, magnitude) if "zero" in call.attrs else tir.cast("int16", magnitude)
