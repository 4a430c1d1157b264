"""Sums in floating point give every byte of the reference, over all pairs of bytes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from builder.families.elementwise import common_scale, scaling
from builder.families.simd_sums import LEFT_SHIFT, multiplied, proved_sum, reference_sums
from builder.fixed_point import multiply


def attributes(a: tuple[float, int], b: tuple[float, int], y: tuple[float, int]) -> dict[str, int]:
    """Of a sum of tensors with these scales and zero points, without an activation."""
    common, found = common_scale(a, b)
    found.update(scaling("y", common / ((1 << LEFT_SHIFT) * y[0])), zero=y[1], low=-128, high=127)
    return {name: int(value) for name, value in found.items()}


@given(st.integers(-(1 << 29), 1 << 29), st.integers(1 << 30, (1 << 31) - 1), st.integers(-31, 1))
def test_a_table_is_multiplied_as_a_number_is(value: int, multiplier: int, shift: int) -> None:
    assert int(multiplied(np.array([value]), multiplier, shift)[0]) == multiply(value, multiplier, shift)


def test_equal_scales_add_up_with_ties_away_from_zero() -> None:
    """At twice the operands' scale 1 + 2 is 1.5, and -1 - 2 is -1.5."""
    pair = attributes((0.5, 0), (0.5, 0), (1.0, 0))
    sums = reference_sums(pair, 1)
    assert [sums[128 + 1, 128 + 2], sums[128 - 1, 128 - 2]] == [2, -2]
    found = proved_sum(pair, 1)
    assert found is not None
    assert (float(found.scale_a), float(found.scale_b), found.is_signed) == (0.5, 0.5, True)
    assert 0 < found.nudge < 0.5


def test_differences_have_a_negative_scale() -> None:
    found = proved_sum(attributes((0.031, -3), (0.017, 5), (0.043, -128)), -1)
    assert found is not None
    assert found.scale_a > 0 > found.scale_b
