"""Values as plain numbers are those that NumPy reads, and floats print as its shortest texts."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from container.arrays import from_bytes
from container.scalars import plain_values
from container.tensors import ElementType, TensorType

NUMBERS = [element for element in ElementType if element is not ElementType.UTF8]


@pytest.mark.parametrize("element", NUMBERS)
@given(data=st.binary(min_size=8, max_size=64))
def test_numbers_are_numpys(element: ElementType, data: bytes) -> None:
    kind = TensorType(element, (len(data) // element.bytes,))
    found = plain_values(kind, data[: kind.bytes])
    np.testing.assert_array_equal(np.array(found, element.dtype), from_bytes(kind, data[: kind.bytes]))


@given(st.integers(0, (1 << 32) - 1))
@example(0x00000001)  # the smallest number there is
@example(0x7F7FFFFF)  # the largest
@example(0x3DCCCCCD)  # 0.1
@example(0x4B800000)  # 2^24, from where on not every integer is there
def test_a_float_has_the_shortest_text_that_reads_back(bits: int) -> None:
    data = struct.pack("<I", bits)
    value = np.frombuffer(data, "<f4")[0]
    (found,) = plain_values(TensorType(ElementType.F32, (1,)), data)
    if np.isfinite(value):
        assert found == float(str(value))
    else:
        assert repr(found) == repr(float(value))


def test_text_ends_at_its_first_nul() -> None:
    kind = TensorType(ElementType.UTF8, (3,), width=4)
    assert plain_values(kind, b"yes\0no\0xfour") == ["yes", "no", "four"]


def test_no_elements_are_no_values() -> None:
    assert plain_values(TensorType(ElementType.I8, (0,)), b"") == []
