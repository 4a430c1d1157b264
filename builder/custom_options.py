"""The options of TensorFlow Lite's custom operators: a map in a flexbuffer.

They are looked up one by one, never unpacked as a whole: a damaged file may claim a list of any length.
"""

from __future__ import annotations

from typing import Any

from flatbuffers import flexbuffers

from builder.importers.tflite_file import READ_FAULTS
from builder.operators.base import Node, Unsupported


class CustomOptions:
    """The map of one node.  Every method raises Unsupported where an option is missing or damaged."""

    def __init__(self, node: Node) -> None:
        length = node.operator.raw.CustomOptionsLength()
        self._data = bytes(node.operator.raw.CustomOptionsAsNumpy()) if length else b""

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """An option within bounds, both included."""
        number = int(self._number(name, default))
        if not low <= number <= high:
            raise Unsupported(f"its option `{name}` is {number}, expected {low} to {high}")
        return number

    def real(self, name: str) -> float:
        return float(self._number(name, None))

    def flag(self, name: str, default: bool | None = None) -> bool:
        return bool(self._number(name, default))

    def _number(self, name: str, default: float | None) -> float:
        try:
            value: Any = flexbuffers.GetRoot(self._data).AsMap[name]
            if not value.IsNull:
                return float(value.AsFloat) if value.IsFloat else int(value.AsInt)
        except KeyError:
            pass
        except (*READ_FAULTS, RecursionError) as fault:
            raise Unsupported(f"its custom options are damaged ({fault})") from fault
        if default is None:
            raise Unsupported(f"its option `{name}` is missing")
        return default
