"""What is possible for a shape: blocks that exist in registers and memory, nothing that computes twice."""

from __future__ import annotations

import pytest
from hypothesis import given

from builder.blocking.shapes import (
    COLUMN_BYTES,
    PLANE_BYTES,
    Blocking,
    Convolution,
    Planes,
    Strips,
)
from tests.builder.blocking.layers import CONVOLUTIONS, PLANES

LAYER = Convolution(pixels=25, channels=8, taps=40)
"""20 words to a column."""


@pytest.mark.parametrize(
    ("blocking", "fault"),
    [
        (Blocking(3, 1, 20), None),
        (Blocking(4, 4, 2), None),
        (Blocking(1, 2, 10, direct=True), None),
        (Blocking(0, 1, 4), "pixels: 0, expected 1 to 4"),
        (Blocking(5, 1, 4), "pixels: 5, expected 1 to 4"),
        (Blocking(1, 5, 4), "pairs: 5, expected 1 to 4"),
        (Blocking(1, -1, 4), "pairs: -1, expected 1 to 4"),
        (Blocking(1, 1, 5), "unrolled: 5, expected one of 2, 4, 10, 20 for 20 words"),
        (Blocking(1, 1, 40), "unrolled: 40, expected one of 2, 4, 10, 20 for 20 words"),
        (Blocking(2, 1, 4, direct=True), "direct: columns of bytes have 1 pixel, and not 2"),
    ],
)
def test_blockings_that_can_be_and_others(blocking: Blocking, fault: str | None) -> None:
    assert LAYER.fault(blocking) == fault


def test_no_more_pixels_than_there_are() -> None:
    assert Convolution(2, 8, 40).fault(Blocking(3, 1, 4)) == "pixels: 3, expected 1 to 2"


def test_columns_that_take_too_much_memory() -> None:
    """576 taps are 288 words of 4 bytes: three columns fit, four do not."""
    layer = Convolution(64, 64, 576)
    assert layer.fault(Blocking(3, 1, 8)) is None
    assert layer.fault(Blocking(4, 1, 8)) == "pixels: columns of 4 take 4,608 bytes, more than 3,584"


@given(CONVOLUTIONS)
def test_every_blocking_of_a_layer(layer: Convolution) -> None:
    found = list(layer.blockings())
    assert found
    assert len(set(found)) == len(found)
    for blocking in found:
        assert layer.fault(blocking) is None
        assert layer.words % blocking.unrolled == 0
        assert blocking.direct or layer.column_bytes(blocking) <= COLUMN_BYTES


@given(PLANES)
def test_strips_cover_the_image_in_even_parts(layer: Planes) -> None:
    for strips in layer.strips():
        assert layer.fault(strips) is None
        count = -(-layer.rows // strips.rows)
        assert count == -(-layer.rows // layer.most_rows(strips.group))
        assert strips.rows * count < layer.rows + count
        assert strips.rows == 1 or layer.plane_bytes(strips) <= PLANE_BYTES


def test_strips_that_cannot_be() -> None:
    """A copy of 8 rows of 3 + 7 by 64 halfwords has 1,280 bytes; there are no four of them."""
    layer = Planes(rows=25, extent=3, stride=1, pitch=64, has_groups=False)
    assert layer.fault(Strips(1, 8)) is None
    assert layer.plane_bytes(Strips(1, 8)) == 1280
    assert layer.fault(Strips(4, 8)) == "group: 4, expected 1"
    assert layer.fault(Strips(1, 26)) == "rows: 26, expected 1 to 14"
    assert layer.fault(Strips(1, 0)) == "rows: 0, expected 1 to 14"
