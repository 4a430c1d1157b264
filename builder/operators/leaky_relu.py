"""x where it is positive, else alpha * x.

int8, int16: M * (x - x_zero) + y_zero, where M is scale_x / scale_y, times alpha for negative inputs.
Source: QuantizeLeakyRelu in tensorflow/lite/kernels/internal/reference/leaky_relu.h and
micro/kernels/leaky_relu_common.cc.
"""

from __future__ import annotations

import math
from typing import Any

from builder import tir
from builder.families.elementwise import (
    Unary,
    centred,
    factor_by_sign,
    output_bounds,
    requantized_number,
    same,
    scaling,
)
from builder.operators.base import Node, Unsupported, dtype_of, per_tensor
from builder.operators.lookup import Lookup
from builder.operators.quantize import float32_bits


class LeakyRelu(Unary):
    name = "leaky_relu"
    tflite = ("LEAKY_RELU",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "int16", "float32", inputs=1))
        alpha = float(node.options("LeakyReluOptions").Alpha())
        if not math.isfinite(alpha):
            raise Unsupported(f"an alpha of {alpha}")
        if dtype == "float32":
            return self.same_shape_call(node, {"alpha": float32_bits(alpha)})
        (scale_x, zero_x), (scale, zero) = per_tensor(node.input(0)), per_tensor(node.output())
        factors = {**scaling("p", scale_x / scale), **scaling("n", scale_x * alpha / scale)}
        attributes = {**factors, **output_bounds(node, "NONE"), "zero": zero}
        if dtype == "int16":
            return self.same_shape_call(node, {**attributes, "zero_x": zero_x})
        return Lookup().of(
            node, lambda x: requantized_number(attributes, x - zero_x, "n" if x < zero_x else "p")
        )

    def element(self, call: Any, *operands: Any) -> Any:
        (x,) = operands
        if dtype_of(call) == "float32":
            scaled = x * tir.float32_literal(int(call.attrs["alpha"]))
            return tir.select(x > tir.literal("float32", 0.0), x, scaled)
        value = centred(call.attrs, "x", x)
        factor = factor_by_sign(call.attrs, value)
        bounds = (int(call.attrs[name]) for name in ("zero", "low", "high"))
        return tir.cast(dtype_of(call), tir.call("int32", "rune_requantize", value, *factor, *bounds))
