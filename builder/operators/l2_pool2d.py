"""The root of the mean square of each window over NHWC images, clamped by a fused activation; float32 alone.

Source: L2Pool in tensorflow/lite/kernels/internal/reference/pooling.h.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.pooling import Pooling
from builder.operators.base import Node


class L2Pool2D(Pooling):
    name = "l2_pool2d"
    tflite = ("L2_POOL_2D",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("float32", "float32"))
        return super().read_tflite(node)

    def start(self, accumulator: str) -> int | float:
        return 0.0

    def combine(self, total: Any, value: Any) -> Any:
        return total + value * value

    def finish(self, call: Any, total: Any, count: Any) -> Any:
        return tir.call("float32", "sqrtf", total / tir.cast("float32", count))
