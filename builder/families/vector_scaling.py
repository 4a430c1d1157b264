"""How vector kernels bring sums to the output's scale: in floating point where that is proved to be exact.

The reference scales a sum with two roundings of 64-bit products (`rune_multiply`), which vectors are slow at.
Since the result never falls while the sum grows, it is known by its steps: for each output level the
smallest sum that reaches it.  So is `sum * scale + nudge`, rounded to the nearest integer, in floating point.
For each channel a scale and a nudge are searched here whose steps are the reference's; two functions that do
not fall, and agree on both sides of each step, agree everywhere.  Where a few channels have none, the sums
that they are centred at are moved, too, by which every product is rounded anew.  Where float32 is too coarse
for a layer, float64 is tried; if that fails, too, the layer is scaled as the reference does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LARGEST_SHIFT = 30
_LARGEST_PRODUCT = 1 << 21
"""No product may be larger, so that adding the magic number rounds it to an integer in the low bits."""
_CANDIDATES = sorted(range(-6, 7), key=abs)
"""Scales that are tried: so many units in the last place away from the real one."""
_BEYOND = 1 << 40
"""Further than any sum."""
_SMALLEST_CENTRED = 2.0**-20
"""Of a factor; a centre of sums by smaller ones would be too far away."""
_WIDEST_NUDGE = 0.49
"""Away from the real one."""
_MOST_SEARCHED = 8
"""Channels of a layer whose centres are moved: more of them say that the format is too coarse."""
_MOVES = np.array(sorted(range(-256, 256), key=abs)).reshape(-1, 64)
"""Of a centre; so many are tried at a time."""
_PARTS = (0.5, 0.25, 0.75, 0.125, 0.875)
"""Of the range of nudges that the products leave, which then are rounded once more."""


class Arithmetic(IntEnum):
    """As in `kernels/simd.h`."""

    FLOAT32 = 0
    FLOAT64 = 1
    INTEGER = 2


@dataclass(frozen=True)
class Format:
    """A floating-point format, and the integer dtype of its bits."""

    name: str
    bits: str
    magic: float
    """1.5 times the number from which on its last place counts units."""


FORMATS = {
    Arithmetic.FLOAT32: Format("float32", "int32", 1.5 * (1 << 23)),
    Arithmetic.FLOAT64: Format("float64", "int64", 1.5 * (1 << 52)),
}


@dataclass(frozen=True)
class Scaling:
    """The constants of one layer."""

    arithmetic: Arithmetic
    is_signed: bool
    """Whether the nudge takes the product's sign, since ties of negative values are rounded down."""
    zero: int
    """What is added to a scaled sum: the output's zero point, and the level that sums are centred at."""
    parameters: tuple[Array, ...]
    """By channel; the first is the bias, less the sum that they are centred at."""

    def packed(self, starts: Sequence[int], block: int) -> Array:
        """int32, for blocks of `block` channels that start at these, parameter by parameter; zeros beyond."""
        rows = []
        for start in starts:
            for values in self.parameters:
                found = values[start : start + block]
                rows.append(np.pad(found, (0, block - len(found))).view("int32"))
        return np.concatenate(rows)


def scaling_of(
    bias: Array, multipliers: Array, shifts: Array, largest: Array, bounds: tuple[int, int, int]
) -> Scaling:
    """The cheapest constants for a layer whose sums, bias included, are at most `largest` in size.

    Shifts are to the right; bounds are the output's zero point, and its lowest and highest value.
    """
    zero, low, high = bounds
    levels = np.arange(low + 1, high + 1, dtype=np.int64) - zero
    is_signed = low < zero
    steps = smallest_sums(multipliers, shifts, levels)
    real = np.ldexp(multipliers.astype("float64"), shifts.astype("int64") - 31)
    # Floating point is finest around zero, so the middle level is put there, unless ties lie around zero.
    middle = 0 if is_signed else (high - low) // 2
    centres = np.where(real > _SMALLEST_CENTRED, np.rint(middle / np.maximum(real, _SMALLEST_CENTRED)), 0)
    if float((real * largest).max()) < _LARGEST_PRODUCT:
        points = _Points.around(steps, levels, largest).less(centres.astype("int64"), middle)
        nudges = centres * real - middle
        for arithmetic, kind in FORMATS.items():
            found = _fitted(points, real.astype(kind.name), nudges, kind, is_signed)
            if found is not None:
                moves, *constants = found
                centred = (bias.astype("int64") - centres.astype("int64") - moves).astype("int32")
                return Scaling(arithmetic, is_signed, zero + middle, (centred, *constants))
    return Scaling(Arithmetic.INTEGER, is_signed, zero, _integer_parameters(bias, multipliers, shifts))


@dataclass(frozen=True)
class _Points:
    """Sums on both sides of each step, by channel, and whether they reach its level."""

    sums: Array
    levels: Array
    reached: Array

    @classmethod
    def around(cls, steps: Array, levels: Array, largest: Array) -> _Points:
        bound = largest.astype(np.int64)[:, np.newaxis]
        sums = np.concatenate([np.clip(steps, -bound, bound), np.clip(steps - 1, -bound, bound)], axis=1)
        reached = sums >= np.concatenate([steps, steps], axis=1)
        return cls(sums, np.concatenate([levels, levels]), reached)

    def less(self, sums: Array, level: int) -> _Points:
        """The same, moved by a sum for each channel, and by a level."""
        return _Points(self.sums - sums[:, np.newaxis], self.levels - level, self.reached)

    def of(self, channels: Array) -> _Points:
        return _Points(self.sums[channels], self.levels, self.reached[channels])


def smallest_sums(multipliers: Array, shifts: Array, levels: Array) -> Array:
    """int64 [channels, levels]: the smallest sum that is scaled to each level or more (`rune_multiply`)."""
    multiplier = multipliers.astype(np.int64)[:, np.newaxis]
    right = -shifts.astype(np.int64)[:, np.newaxis]
    # The right shift takes these to the level: ties are rounded away from zero.
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    scaled = (levels << right) - half + ((levels <= 0) & (right > 0))
    # And the multiplication takes these to that: ties are rounded up.
    doubled = (np.clip(scaled, -(1 << 31), 1 << 31) << 31) - (1 << 30)
    smallest = -(-doubled // np.maximum(multiplier, 1))
    always = np.where(levels <= 0, -_BEYOND, _BEYOND)
    reaching: Array = np.where(multiplier > 0, smallest, always)
    return reaching


def _fitted(
    points: _Points, real: Array, around: Array, kind: Format, is_signed: bool
) -> tuple[Array, Array, Array] | None:
    """By channel how far its centre is moved, a scale near the real one and a nudge around the other; or None
    if a channel has none."""
    moves, scales, nudges = np.zeros(len(real), "int64"), real.copy(), np.zeros_like(real)
    missing = np.arange(len(real))
    for ulps in _CANDIDATES:
        here = points.of(missing)
        moved = (real[missing].view(kind.bits) + ulps).view(kind.name)
        scale = np.where(real[missing] > 0, moved, real[missing])
        nudge = _nudges(here, scale, around[missing], is_signed)
        good = _is_right(here, scale, nudge, kind, is_signed)
        scales[missing[good]], nudges[missing[good]] = scale[good], nudge[good]
        missing = missing[~good]
    if len(missing) > _MOST_SEARCHED:
        return None
    for channel in missing:
        found = _moved(points.of(np.array([channel])), real[channel], float(around[channel]), kind, is_signed)
        if found is None:
            return None
        moves[channel], scales[channel], nudges[channel] = found
    return moves, scales, nudges


def _moved(
    points: _Points, real: Any, around: float, kind: Format, is_signed: bool
) -> tuple[int, Any, Any] | None:
    """A move, a scale and a nudge for one channel."""
    # Ties of negative values mirror the nudge, so that far moves leave no range.
    for moves in _MOVES[:1] if is_signed else _MOVES:
        here = points.of(np.zeros(len(moves), "int64")).less(moves, 0)
        nudges_around = around + moves * float(real)
        for ulps in _CANDIDATES:
            scale = (np.array([real], kind.name).view(kind.bits) + ulps).view(kind.name)
            least, most = _range_of_nudges(here, scale, nudges_around, is_signed)
            possible = least <= most
            if not possible.any():
                continue
            some = _Points(here.sums[possible], here.levels, here.reached[possible])
            for part in _PARTS:
                nudge = (least + (most - least) * part)[possible].astype(kind.name)
                good = np.flatnonzero(_is_right(some, scale, nudge, kind, is_signed))
                if len(good):
                    return int(moves[possible][good[0]]), scale[0], nudge[good[0]]
    return None


def _is_right(points: _Points, scales: Array, nudges: Array, kind: Format, is_signed: bool) -> Array:
    """Which channels have the levels of the reference at all points."""
    reached = rescaled(points.sums, scales, nudges, kind, is_signed) >= points.levels
    right: Array = (reached == points.reached).all(axis=1)
    return right


def _nudges(points: _Points, scales: Array, around: Array, is_signed: bool) -> Array:
    """For each channel the middle of what brings the sums to the levels that they reach, and no further."""
    least, most = _range_of_nudges(points, scales, around, is_signed)
    middle: Array = ((least + most) / 2).astype(scales.dtype)
    return middle


def _range_of_nudges(points: _Points, scales: Array, around: Array, is_signed: bool) -> tuple[Array, Array]:
    """The smallest and the largest, near the others; the smallest is larger where there is none."""
    products = (points.sums.astype(scales.dtype) * scales[:, np.newaxis]).astype("float64")
    distances = points.levels - 0.5 - products
    mirrored: Array = np.signbit(products) & is_signed
    distances = np.where(mirrored, -distances, distances)
    # Where a level is reached, the nudge is not smaller than the distance; a mirrored one is not larger.
    is_least = points.reached != mirrored
    least = np.where(is_least, distances, -np.inf).max(axis=1, initial=-np.inf)
    most = np.where(is_least, np.inf, distances).min(axis=1, initial=np.inf)
    return np.maximum(least, around - _WIDEST_NUDGE), np.minimum(most, around + _WIDEST_NUDGE)


def rescaled(sums: Array, scales: Array, nudges: Array, kind: Format, is_signed: bool) -> Array:
    """What the C of that format makes of sums [channels, n], before the zero point is added."""
    magic = np.array(kind.magic, kind.name)
    products = sums.astype("int32").astype(kind.name) * scales[:, np.newaxis]
    nudge = np.broadcast_to(nudges[:, np.newaxis], products.shape)
    if is_signed:
        nudge = np.where(np.signbit(products), -nudge, nudge)
    integers: Array = (products + nudge + magic).view(kind.bits) - magic.view(kind.bits)
    return integers


def _integer_parameters(bias: Array, multipliers: Array, shifts: Array) -> tuple[Array, ...]:
    """The bias, the multiplier, and the shift as `rune_rescale_integer` wants it."""
    right = -shifts.astype(np.int64)
    half = np.where(right > 0, 1 << np.maximum(right - 1, 0), 0)
    is_divided = np.where(right > 0, -1, 0)
    columns = (bias, multipliers, half, is_divided, 1 << (LARGEST_SHIFT - right))
    return tuple(column.astype("int32") for column in columns)
