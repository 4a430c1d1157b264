"""(a - b)^2 with broadcasting.

int8: both inputs are shifted left by 7 bits and brought to twice the larger of their scales, the difference
squared and brought to the output's scale; int16 is symmetric and is not shifted.  int32: modulo 2^32.
Source: tensorflow/lite/micro/kernels/squared_difference.cc.
"""

from __future__ import annotations

import operator
from typing import Any

from builder.families.elementwise import (
    QUANTIZED,
    Binary,
    at_common_scale,
    common_scale,
    output_bounds,
    requantized_element,
    require_zero_point_0,
    same,
    scaling,
    wrapping,
)
from builder.operators.base import Node, dtype_of, per_tensor

LEFT_SHIFT = {"int8": 7, "int16": 0}


class SquaredDifference(Binary):
    name = "squared_difference"
    tflite = ("SQUARED_DIFFERENCE",)

    def read_tflite(self, node: Node) -> Any:
        dtype, *_ = node.require_dtype(*same("int8", "int16", "int32", "float32"))
        if dtype not in QUANTIZED:
            return self.broadcast_call(node, {})
        require_zero_point_0(node, dtype, inputs=2)
        scale, zero = per_tensor(node.output())
        common, attributes = common_scale(per_tensor(node.input(0)), per_tensor(node.input(1)))
        back = scaling("y", common * common / ((1 << 2 * LEFT_SHIFT[dtype]) * scale))
        return self.broadcast_call(node, {**attributes, **back, **output_bounds(node, "NONE"), "zero": zero})

    def element(self, call: Any, *operands: Any) -> Any:
        dtype = dtype_of(call)
        if dtype in QUANTIZED:
            a, b = (
                at_common_scale(call.attrs, name, value, LEFT_SHIFT[dtype])
                for name, value in zip("ab", operands, strict=True)
            )
            return requantized_element(call, (a - b) * (a - b))
        if dtype == "int32":
            difference = wrapping(operator.sub, *operands)
            return wrapping(operator.mul, difference, difference)
        return (operands[0] - operands[1]) * (operands[0] - operands[1])
