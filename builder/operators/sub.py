"""Element-wise difference with broadcasting.

Source: tensorflow/lite/kernels/internal/reference/sub.h and the Prepare of micro/kernels/sub_common.cc.
"""

from __future__ import annotations

from typing import Any

from builder.families.sums import Sum


class Sub(Sum):
    name = "sub"
    tflite = ("SUB",)
    options = "SubOptions"
    int32_activation = True
    sign = -1

    def combine(self, a: Any, b: Any) -> Any:
        return a - b
