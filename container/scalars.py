"""Tensor values as plain Python numbers and texts, without NumPy: it takes longer to start than a run."""

from __future__ import annotations

import struct

from container.tensors import ElementType, TensorType

_FORMATS = {
    ElementType.U8: "B",
    ElementType.I8: "b",
    ElementType.U16: "H",
    ElementType.I16: "h",
    ElementType.U32: "I",
    ElementType.I32: "i",
    ElementType.U64: "Q",
    ElementType.I64: "q",
    ElementType.F32: "f",
    ElementType.F64: "d",
}
"""What `struct` calls each number."""
_F32 = struct.Struct("<f")
_MOST_DIGITS = 9
"""Significant decimals that tell any two numbers of 32 bits apart (IEEE 754-2008, 5.12.2)."""


def plain_values(kind: TensorType, data: bytes) -> list[int] | list[float] | list[str]:
    """The elements behind `kind.bytes` bytes, row-major.

    A number of 32 bits is the double whose shortest text reads back to it.  Each text ends at its first NUL;
    what is not UTF-8 becomes U+FFFD.
    """
    if kind.element is ElementType.UTF8:
        return [text(data[start : start + (kind.width or 0)]) for start in _starts(kind)]
    values = list(struct.unpack(f"<{kind.count}{_FORMATS[kind.element]}", data))
    return list(map(_shortest, values)) if kind.element is ElementType.F32 else values


def text(data: bytes) -> str:
    """The text in the bytes of one element."""
    return data.split(b"\0", 1)[0].decode(errors="replace")


def _starts(kind: TensorType) -> range:
    width = kind.width or 0
    return range(0, kind.count * width, width) if width else range(0)


def _shortest(value: float) -> float:
    """The double with the fewest decimals that rounds to this number of 32 bits; what is not finite stays."""
    if value != value or value in (float("inf"), float("-inf")):
        return value
    for digits in range(1, _MOST_DIGITS):
        near = float(f"{value:.{digits}g}")
        if _rounds_to(near, value):
            return near
    return float(f"{value:.{_MOST_DIGITS}g}")


def _rounds_to(near: float, value: float) -> bool:
    try:
        return bool(_F32.unpack(_F32.pack(near))[0] == value)
    except OverflowError:
        return False
