"""Quotient with broadcasting.

int8: the reciprocal of the divisor in fixed point (`rune_reciprocal`) times the dividend, raised as far as it
goes, and brought to the output's scale by scale_a / scale_b / scale_y.  That must be at least 64: for less,
small quotients need shifts by more than 31 bits, which the reference leaves to the machine.
int32: cut off towards zero.  float32: a / b.  All clamped by the fused activation.  A divisor of zero fails
the stage for integers; TensorFlow Lite Micro leaves it open.
Source: tensorflow/lite/kernels/internal/reference/div.h and micro/kernels/div.cc.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.elementwise import (
    Binary,
    bounded,
    centred,
    node_activation,
    output_bounds,
    same,
    scaling,
)
from builder.operators.base import Node, Unsupported, dtype_of, per_tensor

SMALLEST_SHIFT = 7
"""Of the factor: with 7 bits of the divisor and 31 of the dividend's headroom the sum is 31 to the right."""


class Div(Binary):
    name = "div"
    tflite = ("DIV",)

    def read_tflite(self, node: Node) -> Any:
        dtype, *_ = node.require_dtype(*same("int8", "int32", "float32"))
        activation = node_activation(node, "DivOptions")
        if dtype == "float32":
            return self.broadcast_call(node, {"activation": activation})
        attributes = output_bounds(node, activation)
        if dtype == "int8":
            (a, zero_a), (b, zero_b) = per_tensor(node.input(0)), per_tensor(node.input(1))
            scale, zero = per_tensor(node.output())
            zeros = {"zero_a": zero_a, "zero_b": zero_b, "zero": zero}
            attributes = {**attributes, **zeros, **_factor(a / (b * scale))}
        return self.broadcast_call(node, attributes)

    def refused(self, call: Any, *operands: Any) -> Any:
        if dtype_of(call) == "float32":
            return None
        return operands[1] == int(call.attrs.get("zero_b", 0))

    def element(self, call: Any, *operands: Any) -> Any:
        a, b = operands
        if dtype_of(call) == "float32":
            return bounded(call, a / b)
        if dtype_of(call) == "int32":
            return bounded(call, tir.call("int32", "rune_divide_i32", a, b))
        names = ("multiplier_y", "shift_y", "zero", "low", "high")
        parameters = (int(call.attrs[name]) for name in names)
        arguments = (centred(call.attrs, "a", a), centred(call.attrs, "b", b))
        return tir.cast("int8", tir.call("int32", "rune_divide_quantized", *arguments, *parameters))


def _factor(real: float) -> dict[str, int | str]:
    factor = scaling("y", real)
    if int(factor["shift_y"]) < SMALLEST_SHIFT:
        raise Unsupported(
            f"an output scale so coarse that 1 / 1 is {real:.3g} steps; expected {1 << (SMALLEST_SHIFT - 1)}",
            hint="keep the division in float32",
        )
    return factor
