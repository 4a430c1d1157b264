"""FLOOR_DIV, the quotient rounded down, and FLOOR_MOD, its remainder, which has the divisor's sign.

float32: floor(a / b); a - b * floor(a / b), by C's fmod.  TensorFlow Lite Micro has float32 only; int32 is
computed as NumPy does.  A divisor of zero fails the stage in FLOOR_DIV, as in TensorFlow Lite Micro, and for
integers.
Source: tensorflow/lite/kernels/internal/reference/{floor_div,floor_mod}.h and micro/kernels/floor_div.cc.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.elementwise import Binary, same
from builder.operators.base import Node, dtype_of


class FloorDivision(Binary):
    name = "floor_division"
    tflite = ("FLOOR_DIV", "FLOOR_MOD")

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(*same("int32", "float32"))
        return self.broadcast_call(node, {"function": node.operator.name.lower()})

    def refused(self, call: Any, *operands: Any) -> Any:
        if dtype_of(call) == "float32" and call.attrs["function"] == "floor_mod":
            return None
        return operands[1] == tir.literal(dtype_of(call), 0)

    def element(self, call: Any, *operands: Any) -> Any:
        a, b = operands
        function = f"rune_{call.attrs['function']}_{'f32' if dtype_of(call) == 'float32' else 'i32'}"
        if function == "rune_floor_mod_f32":
            a = tir.call("float32", "fmodf", a, b)
        return tir.call(dtype_of(call), function, a, b)
