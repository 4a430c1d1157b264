"""The same numbers in another dtype; a quantisation is not looked at.

float32 to integers: cut off towards zero, beyond int32 the nearest limit, NaN gives 0; narrower integers then
keep the low bits, as between integers.  To bool: whether it is not zero.
Source: tensorflow/lite/micro/kernels/cast.cc, which leaves open what lies beyond the target's range.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.elementwise import Unary
from builder.operators.base import Node, dtype_of

SOURCES = ("bool", "int8", "int16", "int32", "uint32", "float32")
TARGETS = ("bool", "int8", "int16", "int32", "uint32", "float32")


class Cast(Unary):
    name = "cast"
    tflite = ("CAST",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(*((source, target) for source in SOURCES for target in TARGETS))
        return self.same_shape_call(node, {})

    def element(self, call: Any, *operands: Any) -> Any:
        (x,) = operands
        source, target = dtype_of(call.args[0]), dtype_of(call)
        if target == "bool":
            return x if source == "bool" else x != tir.literal(source, 0)
        if source == "float32" and target != "float32":
            wide = "uint32" if target == "uint32" else "int32"
            x = tir.call(wide, f"rune_truncate_to_{wide}", x)
        return tir.cast(target, x)
