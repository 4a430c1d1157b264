"""Sums of two int8 as one linear form in 32 bits, where it is proved to give every byte of the reference.

With given factors each of the 65,536 pairs of inputs bounds the form's constant, from one side or from both;
what is left for it is an interval, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from builder.families.simd_sums import real_factor, reference_sums

INT8 = np.arange(-128, 128, dtype=np.int64)
_INT32_MIN, _INT32_MAX = -(1 << 31), (1 << 31) - 1
_STEPS = sorted(range(-4, 5), key=abs)
"""By which a factor is tried, from its rounded value."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class LinearSum:
    """(a * x0 + b * x1 + constant) >> shift, still to be clamped; it stays within int32."""

    a: int
    b: int
    constant: int
    shift: int


def linear_sum(attributes: Mapping[str, int], sign: int) -> LinearSum | None:
    """The form for the attributes of a sum (see `families/sums.py`), or None where none was found."""
    if any(attributes[f"shift_{name}"] > 0 for name in "aby"):
        return None
    slopes = real_factor(attributes, "a"), sign * real_factor(attributes, "b")
    # What is not clamped lies within 256 times both slopes of the zero point, which is an int8.
    room = (1 << 31) / (256 * (abs(slopes[0]) + abs(slopes[1])) + 256)
    shift = int(room).bit_length() - 1
    results = reference_sums(attributes, sign)
    for a, b in _factors(slopes, shift):
        sums = a * INT8[:, np.newaxis] + b * INT8
        lower = ((results << shift) - sums)[results > attributes["low"]]
        upper = ((results + 1 << shift) - 1 - sums)[results < attributes["high"]]
        least, most = lower.max(initial=_INT32_MIN), upper.min(initial=_INT32_MAX)
        if least <= most:
            constant = int(least + most) // 2
            return LinearSum(a, b, constant, shift) if _fits(sums, constant) else None
    return None


def _factors(slopes: tuple[float, float], shift: int) -> Iterator[tuple[int, int]]:
    """The slopes, rounded; then others of the same ratio, of which steeper ones round ties away from zero."""
    for step in _STEPS:
        for slope in slopes:
            scale = (1 << shift) + step / max(abs(slope), 2.0**-shift)
            yield round(slopes[0] * scale), round(slopes[1] * scale)


def _fits(sums: Array, constant: int) -> bool:
    return bool(sums.min() + constant >= _INT32_MIN and sums.max() + constant <= _INT32_MAX)
