"""A function of int8, as the table of its 256 results: y = table[x + 128].

Where the table only clamps, it is no table but two comparisons.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from builder import tir
from builder.families.elementwise import Unary
from builder.operators.base import Node, Unsupported, constant, dtype_of

DOMAIN = np.arange(-128, 128)


class Lookup(Unary):
    name = "lookup"

    def read_tflite(self, node: Node) -> Any:
        raise Unsupported("no model asks for a table by itself")

    def of(self, node: Node, function: Callable[[int], int]) -> Any:
        """The call, or a clamp, that gives `function` of each int8 of a node's input.  Raises Unsupported."""
        table = np.array([function(int(value)) for value in DOMAIN], "int8")
        if np.array_equal(table, DOMAIN.clip(table.min(), table.max())):
            return Clamp().between(node, int(table.min()), int(table.max()))
        return self.same_shape_call(node, {}, [constant(table)])

    def element(self, call: Any, *operands: Any) -> Any:
        x, table = operands
        return table[tir.cast("int32", x) + 128]

    def evaluate(self, call: Any, values: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        x, table = values
        return np.asarray(table[x.astype("int32") + 128])


class Clamp(Unary):
    """Integers within `low` and `high`."""

    name = "clamp"

    def read_tflite(self, node: Node) -> Any:
        raise Unsupported("no model asks for bounds by themselves")

    def between(self, node: Node, low: int, high: int) -> Any:
        """The call on a node's input.  Raises Unsupported."""
        return self.same_shape_call(node, {"low": low, "high": high})

    def element(self, call: Any, *operands: Any) -> Any:
        low, high = (tir.literal(dtype_of(call), int(call.attrs[name])) for name in ("low", "high"))
        return tir.maximum(tir.minimum(operands[0], high), low)

    def evaluate(self, call: Any, values: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        return values[0].clip(int(call.attrs["low"]), int(call.attrs["high"])).astype(dtype_of(call))
