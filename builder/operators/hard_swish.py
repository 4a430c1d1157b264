"""x * min(max(x + 3, 0), 6) / 6.

int8: with 16-bit fixed point, as a table.  Source: HardSwish in
tensorflow/lite/kernels/internal/reference/hard_swish.h and micro/kernels/hard_swish_common.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from builder import tir
from builder.families.elementwise import Pair, Unary, same
from builder.fixed_point import INT32_MAX, INTEGER_RANGE, quantize_multiplier, rounding_shift_right
from builder.operators.base import Node, Unsupported, per_tensor
from builder.operators.lookup import Lookup

HIGH_RESOLUTION_BITS = 7
"""An input's distance from its zero point is shifted left by these."""
LARGEST_SHIFT = 15
"""To the right; an int16 has no more bits."""
LOW, HIGH = INTEGER_RANGE["int16"]


class HardSwish(Unary):
    name = "hard_swish"
    tflite = ("HARD_SWISH",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "float32", inputs=1))
        if dtype == "float32":
            return self.same_shape_call(node, {})
        function = Int8HardSwish.of(per_tensor(node.input(0)), per_tensor(node.output()))
        return Lookup().of(node, function)

    def element(self, call: Any, *operands: Any) -> Any:
        (x,) = operands
        return x * tir.clamp(x + tir.literal("float32", 3.0), 0.0, 6.0) / tir.literal("float32", 6.0)


@dataclass(frozen=True)
class Int8HardSwish:
    """The function of int8."""

    input_zero: int
    output_zero: int
    output: tuple[int, int]
    """Multiplier of 15 bits and shift from the high-resolution input to the output."""
    gate: tuple[int, int]
    """The same to the scale on which 3.0 is 2^15."""

    @classmethod
    def of(cls, x: Pair, y: Pair) -> Int8HardSwish:
        """From (scale, zero point) of both sides.  Raises Unsupported."""
        fine = np.float32(x[0]) / np.float32(1 << HIGH_RESOLUTION_BITS)
        output = quantize_multiplier(float(fine / np.float32(y[0])))
        gate = quantize_multiplier(float(fine / (np.float32(3) / np.float32(1 << 15))))
        if not -LARGEST_SHIFT <= output[1] <= 0 or gate[1] < -LARGEST_SHIFT:
            raise Unsupported(f"scales too far apart for 16 bits: input {x[0]}, output {y[0]}")
        return cls(x[1], y[1], (_halved(output[0]), output[1]), (_halved(gate[0]), gate[1]))

    def __call__(self, x: int) -> int:
        fine = (x - self.input_zero) << HIGH_RESOLUTION_BITS
        value = _rounding_high_multiply(fine, self.output[0])
        product = self._gate(fine) * value
        truncated = abs(product) >> 15
        result = rounding_shift_right(truncated if product >= 0 else -truncated, -self.output[1])
        low, high = INTEGER_RANGE["int8"]
        return max(low, min(high, result + self.output_zero))

    def _gate(self, fine: int) -> int:
        """(x + 3) / 6 within 0 and 1, with 15 fractional bits."""
        multiplier, shift = self.gate
        value = _saturated(fine << max(shift - 1, 0))
        value = _rounding_high_multiply(value, multiplier)
        value = _saturated(value << (shift > 0))
        return (rounding_shift_right(value, max(-shift, 0)) + (1 << 15)) >> 1


def _halved(multiplier: int) -> int:
    """A multiplier of 31 bits as one of 15 (DownScaleInt32ToInt16Multiplier)."""
    return HIGH if multiplier >= INT32_MAX - (1 << 15) else (multiplier + (1 << 15)) >> 16


def _rounding_high_multiply(a: int, b: int) -> int:
    """round(a * b / 2**15) of two int16 (gemmlowp's SaturatingRoundingDoublingHighMul)."""
    return _saturated((a * b + (1 << 14)) >> 15)


def _saturated(value: int) -> int:
    return max(LOW, min(HIGH, value))
