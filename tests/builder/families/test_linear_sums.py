"""Sums of two int8 as linear forms, against the reference in integers, pair by pair."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from builder.families.linear_sums import linear_sum
from builder.fixed_point import multiply, quantize_multiplier

HALVES = (0.5, 0.5, 1.0)
"""Scales of which half of all sums lie between two results."""


def attributes_of(scales: Sequence[float], zeros: Sequence[int]) -> dict[str, int]:
    """What the builder makes of the scales and zero points of a, b and y."""
    common = 2 * max(scales[:2])
    reals = scales[0] / common, scales[1] / common, common / ((1 << 20) * scales[2])
    found = dict(zip(("zero_a", "zero_b", "zero"), zeros, strict=True))
    for name, real in zip("aby", reals, strict=True):
        found[f"multiplier_{name}"], found[f"shift_{name}"] = quantize_multiplier(real)
    return {**found, "low": -128, "high": 127}


def test_a_form_that_a_human_can_check() -> None:
    """0.5 a + 0.5 b in units of 1: ties go away from zero, so that the slopes are a little above a half."""
    form = linear_sum(attributes_of(HALVES, (0, 0, 0)), 1)
    assert form is not None
    assert form.a == form.b > 1 << (form.shift - 1)
    for a, b, total in ((0, 0, 0), (1, 0, 1), (-1, 0, -1), (1, 2, 2), (-1, -2, -2), (-128, 127, -1)):
        assert (form.a * a + form.b * b + form.constant) >> form.shift == total


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("scales", "zeros"),
    [
        ((0.05, 0.03, 0.08), (3, -20, 5)),
        ((0.011, 0.9, 0.7), (-128, 127, -128)),
        ((0.3, 0.3, 0.01), (0, 1, -1)),
        (HALVES, (-7, 9, 100)),
    ],
)
def test_equal_to_the_reference_and_within_32_bits(
    scales: Sequence[float], zeros: Sequence[int], sign: int
) -> None:
    at = attributes_of(scales, zeros)
    form = linear_sum(at, sign)
    assert form is not None
    for a in range(-128, 128):
        for b in range(-128, 128, 5):
            raised = [((value - at[f"zero_{name}"]) << 20, name) for value, name in ((a, "a"), (b, "b"))]
            first, second = (multiply(v, at[f"multiplier_{name}"], at[f"shift_{name}"]) for v, name in raised)
            wanted = multiply(first + sign * second, at["multiplier_y"], at["shift_y"]) + at["zero"]
            total = form.a * a + form.b * b + form.constant
            assert -(1 << 31) <= total < 1 << 31
            assert min(max(total >> form.shift, -128), 127) == min(max(wanted, -128), 127), (a, b)


def test_sums_that_no_form_of_32_bits_gives() -> None:
    assert linear_sum(attributes_of((1.0, 1 / 256, 0.5), (0, -61, -123)), 1) is None
    assert linear_sum({**attributes_of(HALVES, (0, 0, 0)), "shift_y": 1}, 1) is None
