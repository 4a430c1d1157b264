"""The second tensor where the first, of bool, is true, else the third.

SELECT_V2 broadcasts all three.  SELECT takes a condition of rank one for the rows of the others; TensorFlow
Lite Micro lacks it, it is computed as TensorFlow Lite does.
Source: tensorflow/lite/micro/kernels/select.cc and kernels/internal/reference/select.h.
"""

from __future__ import annotations

from typing import Any

from tvm import relax

from builder import tir
from builder.families.elementwise import QUANTIZED, Elementwise, broadcast_shapes, require_equal_quantization
from builder.operators.base import Node

DTYPES = ("int8", "int16", "float32")


class Select(Elementwise):
    name = "select"
    tflite = ("SELECT", "SELECT_V2")
    arity = 3

    def read_tflite(self, node: Node) -> Any:
        _, dtype, *_ = node.require_dtype(*(("bool", dtype, dtype, dtype) for dtype in DTYPES))
        if dtype in QUANTIZED:
            require_equal_quantization(node, [1, 2])
        condition, condition_shape = node.value(0), node.input(0).shape
        rank = len(node.input(1).shape)
        if node.operator.name == "SELECT" and len(condition_shape) == 1 and rank > 1:
            condition_shape = condition_shape + (1,) * (rank - 1)
            condition = node.emit(relax.op.reshape(condition, condition_shape))
        shape = broadcast_shapes(condition_shape, node.input(1).shape, node.input(2).shape)
        node.require_output_shape(*shape)
        return self.call([condition, node.value(1), node.value(2)], {}, shape, dtype)

    def element(self, call: Any, *operands: Any) -> Any:
        return tir.select(*operands)
