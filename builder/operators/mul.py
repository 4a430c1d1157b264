"""Element-wise product with broadcasting.

int8, int16: M * (a - a_zero) * (b - b_zero) + y_zero, M = scale_a * scale_b / scale_y; int16 is symmetric.
int32: modulo 2^32.  float32: a * b.  All clamped by the fused activation.
Source: tensorflow/lite/kernels/internal/reference/integer_ops/mul.h and micro/kernels/mul_common.cc.
"""

from __future__ import annotations

import operator
from typing import Any

from builder.families.elementwise import (
    QUANTIZED,
    Binary,
    bounded,
    centred,
    node_activation,
    output_bounds,
    requantized_element,
    require_zero_point_0,
    same,
    scaling,
    wrapping,
)
from builder.operators.base import Node, dtype_of, per_tensor


class Mul(Binary):
    name = "mul"
    tflite = ("MUL",)

    def read_tflite(self, node: Node) -> Any:
        dtype, *_ = node.require_dtype(*same("int8", "int16", "int32", "float32"))
        activation = node_activation(node, "MulOptions")
        if dtype == "float32":
            return self.broadcast_call(node, {"activation": activation})
        attributes = output_bounds(node, activation)
        if dtype in QUANTIZED:
            require_zero_point_0(node, dtype, inputs=2)
            (a, zero_a), (b, zero_b) = per_tensor(node.input(0)), per_tensor(node.input(1))
            scale, zero = per_tensor(node.output())
            zeros = {"zero_a": zero_a, "zero_b": zero_b, "zero": zero}
            attributes = {**attributes, **zeros, **scaling("y", a * b / scale)}
        return self.broadcast_call(node, attributes)

    def element(self, call: Any, *operands: Any) -> Any:
        a, b = operands
        if dtype_of(call) == "float32":
            return bounded(call, a * b)
        if dtype_of(call) == "int32":
            return bounded(call, wrapping(operator.mul, a, b))
        return requantized_element(call, centred(call.attrs, "a", a) * centred(call.attrs, "b", b))
