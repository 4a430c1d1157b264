"""Tensor values: the bytes that pass through the ABI, as NumPy arrays and back."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from container.scalars import text
from container.tensors import ElementType, TensorType

Array: TypeAlias = np.ndarray[Any, Any]


def from_bytes(kind: TensorType, data: bytes) -> Array:
    """The array of `kind.shape` behind `kind.bytes` bytes; text becomes an array of `str`.

    Each text ends at its first NUL; what is not UTF-8 becomes U+FFFD.
    """
    flat = np.frombuffer(data, dtype=little_endian(kind.element)).reshape(kind.array_shape)
    if kind.element is not ElementType.UTF8:
        return flat.astype(flat.dtype.newbyteorder("="))
    rows = flat.reshape(kind.count, kind.width or 0)
    texts = [text(bytes(row)) for row in rows]
    return np.array(texts, dtype=object).reshape(kind.shape)


def to_bytes(kind: TensorType, array: Array) -> bytes:
    """The bytes of an array that already has the element type and the number of elements of `kind`.

    Text is padded with NULs to the type's width.  Raises ValueError when a text is longer than that.
    """
    if kind.element is not ElementType.UTF8:
        return np.ascontiguousarray(array, dtype=little_endian(kind.element)).tobytes()
    return b"".join(_padded(str(item), kind.width or 0) for item in array.reshape(-1))


def little_endian(element: ElementType) -> np.dtype[Any]:
    """The dtype of an element as it lies in linear memory."""
    return np.dtype(element.dtype).newbyteorder("<")


def _padded(text: str, width: int) -> bytes:
    data = text.encode()
    if len(data) > width:
        raise ValueError(f"{text!r} takes {len(data)} bytes, the type holds {width}")
    return data.ljust(width, b"\0")
