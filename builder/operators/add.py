"""Element-wise sum with broadcasting.

Source: tensorflow/lite/kernels/internal/reference/integer_ops/add.h, reference/add.h (int16, int32, float32)
and the Prepare of micro/kernels/add_common.cc.
"""

from __future__ import annotations

from typing import Any

from builder.families.sums import Sum


class Add(Sum):
    name = "add"
    tflite = ("ADD",)
    options = "AddOptions"
    int32_activation = False
    sign = 1

    def combine(self, a: Any, b: Any) -> Any:
        return a + b
