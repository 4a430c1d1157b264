"""Comparisons with broadcasting; the result is bool.

int8: each element's distance from its zero point, shifted left by 8 bits and
multiplied by its scale in fixed point, is compared, so close numbers may count as equal.
Source: tensorflow/lite/kernels/internal/reference/comparisons.h and micro/kernels/comparisons.cc.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from builder.families.elementwise import Binary, at_common_scale, scaling
from builder.operators.base import Node, Unsupported, dtype_of, per_tensor

LEFT_SHIFT = 8
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
    "GREATER": operator.gt,
    "GREATER_EQUAL": operator.ge,
    "LESS": operator.lt,
    "LESS_EQUAL": operator.le,
}
NUMBERS = ("int8", "int32", "int64", "float32")
BOOL_TOO = ("EQUAL", "NOT_EQUAL")


class Comparison(Binary):
    name = "comparison"
    tflite = tuple(COMPARISONS)

    def read_tflite(self, node: Node) -> Any:
        name = node.operator.name
        dtypes = (*NUMBERS, "bool") if name in BOOL_TOO else NUMBERS
        dtype, *_ = node.require_dtype(*((dtype, dtype, "bool") for dtype in dtypes))
        attributes: dict[str, int | str] = {"function": name}
        for position, side in enumerate("ab") if dtype == "int8" else ():
            scale, zero = per_tensor(node.input(position))
            if scale >= 1.0:
                raise Unsupported(
                    f"tensor {node.input(position).name!r} has the scale {scale}; expected below 1"
                )
            attributes.update({f"zero_{side}": zero, **scaling(side, scale)})
        return self.broadcast_call(node, attributes)

    def element(self, call: Any, *operands: Any) -> Any:
        a, b = operands
        if dtype_of(call.args[0]) == "int8":
            a, b = (at_common_scale(call.attrs, side, x, LEFT_SHIFT) for side, x in (("a", a), ("b", b)))
        return COMPARISONS[str(call.attrs["function"])](a, b)
