"""Mean over some axes.

int8 and int16: M * (sum - n * x_zero) + y_zero, where M = scale_x / scale_y / n is one fixed-point number.
Source: QuantizedMeanOrSum in tensorflow/lite/kernels/internal/reference/reduce.h.
float32: sum / n.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.reduction import Reduction, rescaled_total
from builder.fixed_point import quantize_multiplier
from builder.operators.base import Node, dtype_of, per_tensor


class Mean(Reduction):
    name = "mean"
    tflite = ("MEAN",)
    dtypes = ("int8", "int16", "float32")

    def accumulator(self, dtype: str) -> str:
        return "float32" if dtype == "float32" else "int32"

    def attributes(self, node: Node, count: int) -> dict[str, int | str]:
        if node.output().dtype == "float32":
            return {}
        return rescaled_mean(per_tensor(node.input(0)), per_tensor(node.output()), count)

    def start(self, dtype: str) -> Any:
        return tir.literal(dtype, 0)

    def combine(self, total: Any, value: Any) -> Any:
        return total + value

    def finish(self, call: Any, total: Any, count: int) -> Any:
        if dtype_of(call) == "float32":
            return total / tir.cast("float32", count)
        return rescaled_total(call, total)


def rescaled_mean(source: tuple[float, int], target: tuple[float, int], count: int) -> dict[str, int | str]:
    """Attributes of the integer mean of `count` elements between two (scale, zero point)."""
    multiplier, shift = quantize_multiplier(source[0] / target[0])
    # Division by the count goes into the multiplier, with as many bits kept as its size allows.
    extra = min(max(count, 1).bit_length() - 1, 32, 31 + shift)
    return {
        "multiplier": (multiplier << extra) // max(count, 1),
        "shift": shift - extra,
        "offset": -source[1] * count,
        "zero": target[1],
    }
