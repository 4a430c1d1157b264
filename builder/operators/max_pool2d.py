"""Maximum pooling over NHWC images, clamped by a fused activation.

Source: MaxPool in tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h, and reference/pooling.h.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.pooling import Pooling
from builder.fixed_point import INT32_MIN


class MaxPool2D(Pooling):
    name = "max_pool2d"
    tflite = ("MAX_POOL_2D",)

    def start(self, accumulator: str) -> int | float:
        return INT32_MIN if accumulator == "int32" else -3.4028234663852886e38

    def combine(self, total: Any, value: Any) -> Any:
        return tir.maximum(total, value)

    def finish(self, call: Any, total: Any, count: Any) -> Any:
        return total
