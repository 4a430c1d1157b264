"""Average pooling over NHWC images.

int8: the sum of the taps divided by their number, ties away from zero, clamped; input and output share their
quantisation.  Source: AveragePool in tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h.
Rounded `once`, as in ONNX, it is the distance from the zero point whose ties go to even.
float32: sum / number, clamped.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.pooling import Pooling
from builder.operators.base import dtype_of


class AveragePool2D(Pooling):
    name = "average_pool2d"
    tflite = ("AVERAGE_POOL_2D",)

    def start(self, accumulator: str) -> int | float:
        return 0 if accumulator == "int32" else 0.0

    def combine(self, total: Any, value: Any) -> Any:
        return total + value

    def finish(self, call: Any, total: Any, count: Any) -> Any:
        if dtype_of(call) == "float32":
            return total / tir.cast("float32", count)
        if call.attrs.get("rounding", "twice") == "twice":
            return tir.call("int32", "rune_divide_half_away", total, count)
        zero = int(call.attrs["input_zero"])
        return tir.call("int32", "rune_divide_half_even", total - zero * count, count) + zero
