"""x where it is not negative, else alpha * x, alpha a tensor that is broadcast.

int8, and int16 with an int8 alpha: M * (x - x_zero) + y_zero, M = scale_x / scale_y, or for negative inputs
M * (x - x_zero) * (alpha - alpha_zero) + y_zero, M = scale_x * scale_alpha / scale_y.
Source: tensorflow/lite/kernels/internal/reference/prelu.h and micro/kernels/prelu_common.cc.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.elementwise import Binary, centred, factor_by_sign, output_bounds, scaling
from builder.operators.base import Node, dtype_of, per_tensor

DTYPES = (("float32",) * 3, ("int8",) * 3, ("int16", "int8", "int16"))


class Prelu(Binary):
    name = "prelu"
    tflite = ("PRELU",)

    def read_tflite(self, node: Node) -> Any:
        dtype, *_ = node.require_dtype(*DTYPES)
        if dtype == "float32":
            return self.broadcast_call(node, {})
        (scale_x, zero_x), (scale_alpha, zero_alpha) = per_tensor(node.input(0)), per_tensor(node.input(1))
        scale, zero = per_tensor(node.output())
        zeros = {"zero_x": zero_x, "zero_alpha": zero_alpha, "zero": zero}
        factors = {**scaling("p", scale_x / scale), **scaling("n", scale_x * scale_alpha / scale)}
        return self.broadcast_call(node, {**zeros, **factors, **output_bounds(node, "NONE")})

    def element(self, call: Any, *operands: Any) -> Any:
        x, alpha = operands
        if dtype_of(call) == "float32":
            return tir.select(x >= tir.literal("float32", 0.0), x, x * alpha)
        value, slope = centred(call.attrs, "x", x), centred(call.attrs, "alpha", alpha)
        factor = factor_by_sign(call.attrs, value)
        product = tir.select(value >= 0, value, value * slope)
        bounds = (int(call.attrs[name]) for name in ("zero", "low", "high"))
        return tir.cast(dtype_of(call), tir.call("int32", "rune_requantize", product, *factor, *bounds))
