"""Scaling in floating point gives the bits of the reference's two roundings, for every sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.families.vector_scaling import FORMATS, Arithmetic, Scaling, rescaled, scaling_of, smallest_sums
from builder.fixed_point import multiply, quantize_multiplier

MULTIPLIERS = st.one_of(st.just(0), st.integers(1 << 30, (1 << 31) - 1))


@given(MULTIPLIERS, st.integers(-30, 0), st.integers(-256, 256))
def test_smallest_sums_are_where_the_reference_reaches_a_level(mult: int, shift: int, level: int) -> None:
    found = int(smallest_sums(np.array([mult]), np.array([shift]), np.array([level]))[0, 0])
    for total in (found, found - 1):
        if abs(total) < 1 << 31:
            assert (multiply(total, mult, shift) >= level) == (total >= found)


def layer(
    reals: list[float], largest: int, bounds: tuple[int, int, int]
) -> tuple[Scaling, list[tuple[int, int]]]:
    """Scaling of channels with these factors, without biases; and their multipliers and shifts."""
    pairs = [quantize_multiplier(real) for real in reals]
    multipliers, shifts = np.array(pairs).T
    zeros = np.zeros(len(reals), "int32")
    return scaling_of(zeros, multipliers, shifts, np.full(len(reals), largest), bounds), pairs


@pytest.mark.parametrize(
    "bounds", [(-128, -128, 127), (-5, -128, 127), (3, 3, 100), (0, -128, 127), (7, 7, 7)]
)
@pytest.mark.parametrize("real", [0.0, 0.3, 0.013, 0.001_9, 0.0007])
def test_every_sum_is_scaled_as_the_reference_does(real: float, bounds: tuple[int, int, int]) -> None:
    largest = 20_000
    scaling, ((multiplier, shift),) = layer([real], largest, bounds)
    kind = FORMATS[scaling.arithmetic]
    sums = np.arange(-largest, largest + 1)
    bias, scales, nudges = scaling.parameters
    zero, low, high = bounds
    found = rescaled((sums + bias)[np.newaxis], scales, nudges, kind, scaling.is_signed)[0] + scaling.zero
    expected = [multiply(int(total), multiplier, shift) + zero for total in sums]
    np.testing.assert_array_equal(np.clip(found, low, high), np.clip(expected, low, high))


def test_float64_is_for_where_float32_is_too_coarse() -> None:
    factors = [0.000_02 + 0.000_001 * number for number in range(64)]
    assert layer([0.02], 1 << 20, (-128, -128, 127))[0].arithmetic is Arithmetic.FLOAT32
    assert layer(factors, 1 << 20, (-128, -128, 127))[0].arithmetic is Arithmetic.FLOAT64


def test_ties_on_both_sides_of_zero_are_left_to_integers() -> None:
    """Sums of a power of two meet ties exactly, and one nudge cannot bring both kinds to their side."""
    assert layer([0.001_953_125], 20_000, (0, -128, 127))[0].arithmetic is Arithmetic.INTEGER


def test_products_that_no_format_holds_are_left_to_integers() -> None:
    assert layer([0.5], 1 << 29, (0, -128, 127))[0].arithmetic is Arithmetic.INTEGER


def test_blocks_hold_their_channels_parameter_by_parameter() -> None:
    scaling = Scaling(Arithmetic.INTEGER, False, 0, (np.arange(3, dtype="int32"), np.full(3, 1.0, "float64")))
    one = [0, 0x3FF00000]
    assert scaling.packed([0, 1], 2).tolist() == [0, 1, *one, *one, 1, 2, *one, *one]
    assert scaling.packed([0], 4).tolist() == [0, 1, 2, 0, *one, *one, *one, 0, 0]


@given(st.integers(0, 1 << 32), st.booleans())
@settings(max_examples=8, deadline=None)
def test_any_layer_is_scaled_as_the_reference_does(seed: int, is_relu: bool) -> None:
    """Around all steps of many channels, of which some need their centres moved."""
    generator = np.random.default_rng(seed)
    zero, low, high = bounds = (-128, -128, 127) if is_relu else (4, -128, 127)
    scaling, pairs = layer(list(generator.uniform(0.001, 0.003, 24)), 1 << 20, bounds)
    levels = np.arange(low + 1, high + 1) - zero
    multipliers, shifts = np.array(pairs).T
    steps = smallest_sums(multipliers, shifts, levels)
    sums = np.concatenate([steps, steps - 1], axis=1)
    bias, scales, nudges = scaling.parameters[:3]
    if scaling.arithmetic is not Arithmetic.INTEGER:
        kind = FORMATS[scaling.arithmetic]
        found = rescaled(sums + bias[:, np.newaxis], scales, nudges, kind, scaling.is_signed) + scaling.zero
        expected = [
            [multiply(int(s), *pair) + zero for s in row] for row, pair in zip(sums, pairs, strict=True)
        ]
        np.testing.assert_array_equal(np.clip(found, low, high), np.clip(expected, low, high))


def test_a_channel_that_float32_rounds_wrongly_is_moved() -> None:
    """One of a keyword model's, whose range of nudges is a fifth of a thousandth of a sum."""
    scaling, _ = layer([0.005249346926575527], 1 << 20, (-128, -128, 127))
    centre = round(127 / 0.005249346926575527)
    assert scaling.arithmetic is Arithmetic.FLOAT32
    assert 0 < abs(int(scaling.parameters[0][0]) + centre) <= 256
