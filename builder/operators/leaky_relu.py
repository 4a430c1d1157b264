"""x where it is positive, else alpha * x.

int8, int16: M * (x - x_zero) + y_zero, where M is scale_x / scale_y, times alpha for negative inputs.
Source: QuantizeLeakyRelu in tensorflow/lite/kernels/internal/reference/leaky_relu.h and
micro/kernels/leaky_relu_common.cc.
"""

from __future__ import annotations

import math
from typing import Any

from builder import tir
from builder.elementwise import Unary, centred, factor_by_sign, same, scaling
from builder.fixed_point import INTEGER_RANGE, multiply, quantize_multiplier
from builder.operators.base import Node, Unsupported, dtype_of, per_tensor
from builder.operators.lookup import Lookup
from builder.operators.quantize import float32_bits


class LeakyRelu(Unary):
    name = "leaky_relu"
    tflite = ("LEAKY_RELU",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "int16", "float32", inputs=1))
        node.require_output_shape(*node.input(0).shape)
        alpha = float(node.options("LeakyReluOptions").Alpha())
        if not math.isfinite(alpha):
            raise Unsupported(f"an alpha of {alpha}")
        if dtype == "float32":
            return self._call(node, {"alpha": float32_bits(alpha)})
        (scale_x, zero_x), (scale, zero) = per_tensor(node.input(0)), per_tensor(node.output())
        positive, negative = scale_x / scale, scale_x * alpha / scale
        if dtype == "int16":
            factors = {**scaling("p", positive), **scaling("n", negative)}
            return self._call(node, {"zero_x": zero_x, "zero": zero, **factors})
        pairs = quantize_multiplier(positive), quantize_multiplier(negative)
        return Lookup().of(node.value(0), lambda x: _int8(x - zero_x, zero, pairs))

    def _call(self, node: Node, attributes: dict[str, int | str]) -> Any:
        return self.call([node.value(0)], attributes, node.output().shape, node.output().dtype)

    def element(self, call: Any, *operands: Any) -> Any:
        (x,) = operands
        if dtype_of(call) == "float32":
            scaled = x * tir.float32_literal(int(call.attrs["alpha"]))
            return tir.select(x > tir.literal("float32", 0.0), x, scaled)
        value = centred(call.attrs, "x", x)
        factor = factor_by_sign(call.attrs, value)
        bounds = INTEGER_RANGE[dtype_of(call)]
        result = tir.call("int32", "rune_requantize", value, *factor, int(call.attrs["zero"]), *bounds)
        return tir.cast(dtype_of(call), result)


def _int8(value: int, zero: int, factors: tuple[tuple[int, int], tuple[int, int]]) -> int:
    low, high = INTEGER_RANGE["int8"]
    return max(low, min(high, multiply(value, *factors[value < 0]) + zero))
