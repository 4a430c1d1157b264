"""Functions of float32, each a row of a table; powers of integers too.

Sources: tensorflow/lite/micro/kernels/{elementwise,exp,neg,floor,ceil,round}.cc; ROUND takes ties to even.
POW, which TensorFlow Lite Micro lacks, is C's powf; of integers, which only ONNX's operator takes, it is
exact modulo their range, and what has a negative exponent is cut off towards zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from builder import tir
from builder.families.elementwise import Binary, Unary, same
from builder.operators.base import Node, dtype_of


def _c_function(name: str) -> Callable[[Any], Any]:
    return lambda x: tir.call("float32", name, x)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "CEIL": _c_function("ceilf"),
    "COS": _c_function("cosf"),
    "EXP": _c_function("expf"),
    "FLOOR": _c_function("floorf"),
    "LOG": _c_function("logf"),
    "NEG": lambda x: tir.literal("float32", -1.0) * x,
    "ROUND": _c_function("rune_round_half_even"),
    "SIN": _c_function("sinf"),
    "SQRT": _c_function("sqrtf"),
    "SQUARE": lambda x: x * x,
}


class FloatFunction(Unary):
    name = "float_function"
    tflite = tuple(FUNCTIONS)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(("float32", "float32"))
        return self.same_shape_call(node, {"function": node.operator.name})

    def element(self, call: Any, *operands: Any) -> Any:
        return FUNCTIONS[str(call.attrs["function"])](operands[0])


class Power(Binary):
    name = "power"
    tflite = ("POW",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(*same("float32"))
        return self.broadcast_call(node, {})

    def element(self, call: Any, *operands: Any) -> Any:
        functions = {"float32": "powf", "int32": "rune_power_i32", "int64": "rune_power_i64"}
        return tir.call(dtype_of(call), functions[dtype_of(call)], *operands)
