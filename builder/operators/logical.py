"""Logic of bool tensors, with broadcasting.

Source: tensorflow/lite/micro/kernels/{logical,elementwise}.cc.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.elementwise import Binary, Unary, same
from builder.operators.base import Node


class Logical(Binary):
    """Conjunction and disjunction."""

    name = "logical"
    tflite = ("LOGICAL_AND", "LOGICAL_OR")

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(*same("bool"))
        return self.broadcast_call(node, {"function": node.operator.name})

    def element(self, call: Any, *operands: Any) -> Any:
        combine = tir.both if call.attrs["function"] == "LOGICAL_AND" else tir.either
        return combine(*operands)


class LogicalNot(Unary):
    name = "logical_not"
    tflite = ("LOGICAL_NOT",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(*same("bool", inputs=1))
        return self.same_shape_call(node, {})

    def element(self, call: Any, *operands: Any) -> Any:
        return tir.negation(operands[0])
