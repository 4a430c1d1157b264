"""Bytes to arrays and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.arrays import from_bytes, to_bytes
from container.tensors import ElementType, TensorType

WORDS = TensorType(ElementType.UTF8, (2,), width=4)


@pytest.mark.parametrize(
    ("element", "data", "values"),
    [
        (ElementType.I8, b"\xff\x02", [-1, 2]),
        (ElementType.U16, b"\x01\x00\x00\x01", [1, 256]),
        (ElementType.F32, b"\x00\x00\x80\x3f\x00\x00\x00\xc0", [1.0, -2.0]),
    ],
)
def test_little_endian(element: ElementType, data: bytes, values: list[float]) -> None:
    kind = TensorType(element, (2, 1))
    array = from_bytes(kind, data)
    assert array.dtype == np.dtype(element.dtype)
    assert array.tolist() == [[values[0]], [values[1]]]
    assert to_bytes(kind, array) == data


def test_big_endian_arrays_are_turned() -> None:
    assert to_bytes(TensorType(ElementType.U16, (1,)), np.array([1], dtype=">u2")) == b"\x01\x00"


def test_text_ends_at_the_first_nul() -> None:
    assert from_bytes(WORDS, b"no\0xyes\xff").tolist() == ["no", "yes\ufffd"]


def test_text_is_padded() -> None:
    assert to_bytes(WORDS, np.array(["ja", "né"], dtype=object)) == b"ja\0\0n\xc3\xa9\0"
    with pytest.raises(ValueError, match="'quatre' takes 6 bytes, the type holds 4"):
        to_bytes(WORDS, np.array(["un", "quatre"], dtype=object))


@given(st.binary(min_size=24, max_size=24))
def test_every_number_survives(data: bytes) -> None:
    for element in ElementType:
        kind = TensorType(element, (24 // element.bytes,), width=1 if element is ElementType.UTF8 else None)
        if element.is_integer:
            assert to_bytes(kind, from_bytes(kind, data)) == data
