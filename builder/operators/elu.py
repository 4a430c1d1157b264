"""x where it is positive, else exp(x) - 1.

int8: dequantised, computed in float32, quantised with ties away from zero; as a table.
Source: tensorflow/lite/micro/kernels/elu.cc and kernels/internal/reference/elu.h.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from builder import tir
from builder.families.elementwise import Pair, Unary, same
from builder.fixed_point import INTEGER_RANGE, round_half_away
from builder.operators.base import Node, per_tensor
from builder.operators.lookup import Lookup


class Elu(Unary):
    name = "elu"
    tflite = ("ELU",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "float32", inputs=1))
        if dtype == "float32":
            return self.same_shape_call(node, {})
        source, target = per_tensor(node.input(0)), per_tensor(node.output())
        return Lookup().of(node, lambda x: _int8(x, source, target))

    def element(self, call: Any, *operands: Any) -> Any:
        (x,) = operands
        return tir.select(x < tir.literal("float32", 0.0), tir.call("float32", "expm1f", x), x)


def _int8(x: int, source: Pair, target: Pair) -> int:
    real = np.float32(source[0]) * np.float32(x - source[1])
    if real < 0:
        real = np.float32(math.exp(real)) - np.float32(1)
    steps = round_half_away(float(real * (np.float32(1) / np.float32(target[0]))))
    low, high = INTEGER_RANGE["int8"]
    return max(low, min(high, steps + target[1]))
