"""The logistic function, 1 / (1 + exp(-x)), and the hyperbolic tangent.

int8: fixed point with 31 bits, rounded to 8 bits at the end, as a table; inputs beyond +-15 saturate.  The
result's scale is 1/256 (logistic) or 1/128 (tanh).
int16: a table of 256 points with linear interpolation; the result's scale is 2^-15.  The input is brought to
steps of 1 / (3 * 4096) by a multiplier of 15 bits, exactly where its scale is 2^-12 (tanh: or 2^-11).
Sources: tensorflow/lite/kernels/internal/reference/integer_ops/{logistic,tanh}.h and the Prepare of
micro/kernels/{logistic_common,tanh}.cc.
float32: as written.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

from builder import tir
from builder.families.elementwise import Pair, Unary, require_zero_point_0, same
from builder.fixed_point import (
    INTEGER_RANGE,
    input_radius,
    logistic,
    multiply,
    quantize_multiplier,
    rounding_shift_right,
    tanh,
)
from builder.operators.base import Node, Unsupported, constant, dtype_of, per_tensor
from builder.operators.lookup import Lookup
from builder.sigmoid import sigmoid_table

INPUT_INTEGER_BITS = 4
"""Of the fixed-point argument for int8."""
TABLE_STEPS = 3 * 4096
"""Steps a unit of the argument for int16."""
LARGEST_MULTIPLIER = (1 << 15) - 1
TOLERATED_LOG2 = 1e-3
"""How far the logarithm of a scale may be from that of a power of two."""


class Sigmoid(Unary):
    """Either of the two functions."""

    int8_result: ClassVar[Pair]
    exact_exponents: ClassVar[tuple[int, ...]]
    """int16 input scales, as powers of two, that need no rounding."""
    q15_function: ClassVar[str]
    """The C function for int16."""

    @abstractmethod
    def fixed(self, argument: int) -> int:
        """The function of a number with 4 integer bits, with 31 fractional bits."""

    @abstractmethod
    def real(self, x: Any) -> Any:
        """The function of a float32, as TIR."""

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "int16", "float32", inputs=1))
        if dtype == "int8":
            return self._int8(node)
        if dtype == "float32":
            return self.same_shape_call(node, {})
        require_zero_point_0(node, dtype, inputs=1)
        attributes = self._int16(per_tensor(node.input(0))[0], per_tensor(node.output())[0])
        return self.same_shape_call(node, attributes, [constant(sigmoid_table())])

    def _int8(self, node: Node) -> Any:
        if per_tensor(node.output()) != self.int8_result:
            raise Unsupported(
                f"a result with {node.output().quantization}; "
                f"expected scale {self.int8_result[0]}, zero point {self.int8_result[1]}"
            )
        scale, zero = per_tensor(node.input(0))
        return Lookup().of(node, lambda value: self._int8_element(value - zero, scale))

    def _int8_element(self, distance: int, scale: float) -> int:
        low, high = INTEGER_RANGE["int8"]
        multiplier, shift = quantize_multiplier(scale * (1 << (31 - INPUT_INTEGER_BITS)))
        radius = input_radius(INPUT_INTEGER_BITS, shift)
        if abs(distance) >= radius:
            return low if distance < 0 else high
        result_scale, zero = self.int8_result
        fraction_bits = round(-math.log2(result_scale))
        result = rounding_shift_right(self.fixed(multiply(distance, multiplier, shift)), 31 - fraction_bits)
        return max(low, min(high, result + zero))

    def _int16(self, scale: float, result_scale: float) -> dict[str, int | str]:
        if _exponent(result_scale) != -15:
            raise Unsupported(f"a result with the scale {result_scale}; expected 2^-15")
        exponent = _exponent(scale)
        if exponent in self.exact_exponents:
            return {"multiplier": TABLE_STEPS >> -exponent, "shift": 0}
        multiplier, shift = scale * TABLE_STEPS, 0
        while multiplier <= LARGEST_MULTIPLIER / 2 and shift <= 30:
            multiplier, shift = multiplier * 2, shift + 1
        if multiplier > LARGEST_MULTIPLIER:
            raise Unsupported(f"an input scale of {scale}; int16 arguments have a scale below 2.6")
        return {"multiplier": int(multiplier), "shift": shift}

    def element(self, call: Any, *operands: Any) -> Any:
        if dtype_of(call) == "float32":
            return self.real(operands[0])
        x, table = operands
        multiplier, shift = int(call.attrs["multiplier"]), int(call.attrs["shift"])
        argument = tir.cast("int32", x) * multiplier
        if shift:
            argument = (argument + (1 << (shift - 1))) >> shift
        return tir.cast("int16", tir.call("int32", self.q15_function, tir.address(table, 0), argument))


def _exponent(scale: float) -> int | None:
    """log2 of a scale that is near enough to a power of two (CheckedLog2 in quantization_util.cc)."""
    exponent = math.log2(scale)
    return round(exponent) if abs(exponent - round(exponent)) < TOLERATED_LOG2 else None


class Logistic(Sigmoid):
    name = "logistic"
    tflite = ("LOGISTIC",)
    int8_result = (1 / 256, -128)
    exact_exponents = (-12,)
    q15_function = "rune_sigmoid_q15"

    def fixed(self, argument: int) -> int:
        return logistic(argument, INPUT_INTEGER_BITS)

    def real(self, x: Any) -> Any:
        one = tir.literal("float32", 1.0)
        return one / (one + tir.call("float32", "expf", tir.literal("float32", 0.0) - x))


class Tanh(Sigmoid):
    name = "tanh"
    tflite = ("TANH",)
    int8_result = (1 / 128, 0)
    exact_exponents = (-12, -11)
    q15_function = "rune_tanh_q15"

    def fixed(self, argument: int) -> int:
        return tanh(argument, INPUT_INTEGER_BITS)

    def real(self, x: Any) -> Any:
        return tir.call("float32", "tanhf", x)
