"""MAXIMUM and MINIMUM of two tensors, with broadcasting.

Quantised tensors are compared as they are, so all three must stand for the same real numbers.
Source: tensorflow/lite/micro/kernels/maximum_minimum.cc.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.elementwise import QUANTIZED, Binary, require_equal_quantization, same
from builder.operators.base import Node


class Extremum(Binary):
    name = "extremum"
    tflite = ("MAXIMUM", "MINIMUM")

    def read_tflite(self, node: Node) -> Any:
        dtype, *_ = node.require_dtype(*same("int8", "int16", "int32", "int64", "float32"))
        if dtype in QUANTIZED:
            require_equal_quantization(node, [0, 1])
        return self.broadcast_call(node, {"function": node.operator.name})

    def element(self, call: Any, *operands: Any) -> Any:
        a, b = operands
        # In the reference's order, which decides what becomes of NaN.
        return tir.select(a > b if call.attrs["function"] == "MAXIMUM" else a < b, a, b)
