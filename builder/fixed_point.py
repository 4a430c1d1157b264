"""Integer arithmetic of quantised operators, as the builder needs it before any code runs.

The numbers computed here go into containers as constants; `kernels/fixed_point.h` uses them.  The reference
for every rounding is TensorFlow Lite Micro.
"""

from __future__ import annotations

import math
from collections.abc import Callable

INT32_MAX = (1 << 31) - 1
INT32_MIN = -(1 << 31)

INTEGER_RANGE = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "uint16": (0, 65535),
    "int32": (INT32_MIN, INT32_MAX),
}


def quantize_multiplier(real: float) -> tuple[int, int]:
    """The pair (multiplier, shift) with real = multiplier * 2**(shift - 31), multiplier in [2**30, 2**31).

    Source: QuantizeMultiplier in tensorflow/lite/kernels/internal/quantization_util.cc.  A multiplier too
    small for any shift becomes (0, 0), one too large saturates.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return INT32_MAX, 30
    return multiplier, shift


def round_half_away(value: float) -> int:
    """The nearest integer, ties away from zero, as C's `round`."""
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def activation_range(activation: str, scale: float, zero_point: int, dtype: str) -> tuple[int, int]:
    """Bounds of a quantised tensor after a fused activation (`NONE`, `RELU`, `RELU6`, `RELU_N1_TO_1`).

    Source: CalculateActivationRangeQuantized in tensorflow/lite/kernels/kernel_util.cc.
    """
    low, high = INTEGER_RANGE[dtype]
    bounds = ACTIVATION_BOUNDS[activation]
    if bounds[0] is not None:
        low = max(low, zero_point + round_half_away(bounds[0] / scale))
    if bounds[1] is not None:
        high = min(high, zero_point + round_half_away(bounds[1] / scale))
    return low, high


ACTIVATION_BOUNDS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}
"""Real bounds of each activation that an operator can fuse."""


def saturating_doubling_high_multiply(a: int, b: int) -> int:
    """round(a * b / 2**31) of two int32, ties towards plus infinity, saturated.

    Source: SaturatingRoundingDoublingHighMul in gemmlowp's fixedpoint.h.
    """
    return min((a * b + (1 << 30)) >> 31, INT32_MAX)


def rounding_shift_right(value: int, exponent: int) -> int:
    """round(value / 2**exponent), ties away from zero (gemmlowp's RoundingDivideByPOT)."""
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (value < 0)
    return (value >> exponent) + ((value & mask) > threshold)


def exp_on_negative_values(value: int, integer_bits: int) -> int:
    """exp of a fixed-point number <= 0 with `integer_bits` integer bits; the result has none, 31 fractional
    ones.

    The part below 1/4 goes through a polynomial, every higher bit multiplies by a constant.
    Source: exp_on_negative_values in gemmlowp's fixedpoint.h.
    """
    if value == 0:
        return INT32_MAX
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    below_quarter = (value & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_0(below_quarter << integer_bits)
    remainder = below_quarter - value
    for exponent, factor in _EXP_OF_MINUS_POWERS_OF_TWO.items():
        if exponent < integer_bits and remainder & (1 << (fraction_bits + exponent)):
            result = saturating_doubling_high_multiply(result, factor)
    return result


_EXP_OF_MINUS_POWERS_OF_TWO = {
    exponent: round_half_away(math.exp(-(2.0**exponent)) * (1 << 31)) for exponent in range(-2, 5)
}
"""exp(-2**exponent) with 31 fractional bits."""


def _exp_between_minus_quarter_and_0(value: int) -> int:
    """The polynomial of degree 4 around -1/8, all numbers with 31 fractional bits."""
    multiply = saturating_doubling_high_multiply
    constant_term = round_half_away(math.exp(-1 / 8) * (1 << 31))
    one_third = round_half_away((1 << 31) / 3)
    x = value + (1 << 28)
    x2 = multiply(x, x)
    x3 = multiply(x2, x)
    x4_over_4 = rounding_shift_right(multiply(x2, x2), 2)
    tail = rounding_shift_right(multiply(x4_over_4 + x3, one_third) + x2, 1)
    return min(constant_term + multiply(constant_term, x + tail), INT32_MAX)


LUT_POINTS = 513
"""Points of a table over int16: 512 steps of 128, and the end of the last."""


def int16_lut(function: Callable[[float], float], domain: tuple[float, float]) -> list[int]:
    """A function over int16 inputs that span `domain`, as points with 15 fractional bits for interpolation.

    Each point is shifted by half of the error that linear interpolation makes in the middle of its step.
    Source: LUTPopulateInt16 in tensorflow/lite/kernels/internal/common.h.
    """
    low, high = domain
    step = (high - low) / (LUT_POINTS - 1)
    to_integer = 65536 / (2.0 / 65535.0 * 65535)
    table = []
    for index in range(LUT_POINTS - 1):
        value, middle, following = (
            function(low + (index + part) * step) * to_integer for part in (0.0, 0.5, 1.0)
        )
        sample = round_half_away(value)
        interpolated = round_half_away((following + sample) / 2)
        bias = round_half_away((interpolated - round_half_away(middle)) / 2)
        table.append(min(max(sample - bias, -32768), 32767))
    return [*table, min(max(round_half_away(function(high) * to_integer), -32768), 32767)]


def multiply(value: int, multiplier: int, shift: int) -> int:
    """value * multiplier * 2**(shift - 31), rounded twice: what `rune_multiply` computes."""
    raised = (value << max(shift, 0)) & 0xFFFFFFFF
    high = saturating_doubling_high_multiply(raised - ((raised & (1 << 31)) << 1), multiplier)
    return rounding_shift_right(high, max(-shift, 0))


def multiply_once(value: int, multiplier: int, shift: int) -> int:
    """The same, rounded once, ties to even: what `rune_requantize_once` scales by."""
    fraction = 31 - shift
    raised = value * multiplier + (1 << (fraction - 1))
    is_tie = raised & ((1 << fraction) - 1) == 0
    return (raised >> fraction) & (~1 if is_tie else ~0)


def input_radius(integer_bits: int, shift: int) -> int:
    """The distance from the zero point where an input, scaled by 2**shift, leaves its fixed-point format.

    Source: CalculateInputRadius in tensorflow/lite/kernels/internal/quantization_util.cc.
    """
    return math.floor(((1 << integer_bits) - 1) * 2.0 ** (31 - integer_bits - shift))


def logistic(value: int, integer_bits: int) -> int:
    """1 / (1 + exp(-x)) of a fixed-point number with `integer_bits` integer bits; the result has none.

    Source: logistic in gemmlowp's fixedpoint.h.
    """
    if value == 0:
        return 1 << 30
    exponential = exp_on_negative_values(-abs(value), integer_bits)
    positive = min(_inverse_of_half_one_plus(exponential) * 2, INT32_MAX)
    return positive if value > 0 else INT32_MAX - positive


def tanh(value: int, integer_bits: int) -> int:
    """(1 - exp(-2x)) / (1 + exp(-2x)) of a fixed-point number; as `logistic`.

    Source: tanh in gemmlowp's fixedpoint.h.
    """
    if value == 0:
        return 0
    # The same bits with one more integer bit are twice the number.
    exponential = exp_on_negative_values(-abs(value), integer_bits + 1)
    positive = min((_inverse_of_half_one_plus(exponential) - (1 << 29)) * 4, INT32_MAX)
    return positive if value > 0 else -positive


def _inverse_of_half_one_plus(value: int) -> int:
    """2 / (1 + x) for x in [0, 1] with 31 fractional bits; the result has 29.  As in `rune_reciprocal`."""
    half_denominator = (value + INT32_MAX + 1) // 2
    multiply_high = saturating_doubling_high_multiply
    estimate = round_half_away(48 / 17 * (1 << 29)) + multiply_high(
        half_denominator, round_half_away(-32 / 17 * (1 << 29))
    )
    for _ in range(3):
        error = (1 << 29) - multiply_high(half_denominator, estimate)
        estimate += max(min(multiply_high(estimate, error) * 4, INT32_MAX), INT32_MIN)
    return estimate
