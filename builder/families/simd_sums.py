"""Vector kernels of the `simd` profile for sums of two int8 tensors, in floating point where it is proved.

The reference brings both operands to one scale, adds them up, and scales the sum, with two roundings of
64-bit products each time.  A pair of bytes has 65,536 values: for all of them it is checked here that
`(a - zero_a) * scale_a + (b - zero_b) * scale_b + nudge`, rounded to the nearest, is the same byte.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from builder import tir
from builder.operators.base import Kernel, dtype_of, shape_of

LANES = 16
"""Bytes of a vector."""
LEFT_SHIFT = 20
"""Bits of headroom that the reference computes sums with."""
ATTRIBUTES = (
    *(f"{name}_{factor}" for name in ("multiplier", "shift") for factor in "aby"),
    *("zero_a", "zero_b", "zero", "low", "high"),
)
"""What a sum depends on; see `families/sums.py`."""
_MAGIC = np.float32(1.5 * (1 << 23))
"""Adding it leaves a float32 rounded to an integer in the low bits."""
_CANDIDATES = sorted(
    ((a, b) for a in range(-3, 4) for b in range(-3, 4)), key=lambda pair: abs(pair[0]) + abs(pair[1])
)
"""Scales that are tried: so many units in the last place away from the real ones."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FloatSum:
    """Constants in float32 that give every byte of the reference."""

    scale_a: np.float32
    scale_b: np.float32
    nudge: np.float32
    is_signed: bool
    """Whether the nudge takes the sum's sign, since ties of negative values are rounded down."""


def add(call: Any, sign: int) -> Kernel | None:
    """a + sign * b of int8 tensors of one shape; None where that is not proved."""
    shapes = {shape_of(argument) for argument in (*call.args, call)}
    dtypes = {dtype_of(argument) for argument in (*call.args, call)}
    count = math.prod(shape_of(call))
    if dtypes != {"int8"} or len(shapes) != 1 or count < LANES:
        return None
    if call.attrs.get("rounding", "twice") != "twice":
        return None
    attributes = {name: int(call.attrs[name]) for name in ATTRIBUTES}
    found = proved_sum(attributes, sign)
    if found is None:
        return None
    bits = [int(value.view("int32")) for value in (found.scale_a, found.scale_b, found.nudge)]
    numbers = (count, *bits, int(found.is_signed), *(attributes[name] for name in ATTRIBUTES[-5:]))

    def body(a: Any, b: Any, y: Any) -> None:
        tensors = [tir.address(tensor, 0) for tensor in (a, b, y)]
        tir.evaluate(tir.call("int32", "rune_add_i8", *tensors, *numbers))

    return Kernel(tir.kernel([(name, (count,), "int8") for name in ("a", "b", "y")], body), call.args)


def proved_sum(attributes: Mapping[str, int], sign: int) -> FloatSum | None:
    """Constants for the attributes of a sum, or None where none were found."""
    factors = [(attributes[f"multiplier_{name}"], attributes[f"shift_{name}"]) for name in "aby"]
    if any(multiplier < 1 << 30 or shift > 0 for multiplier, shift in factors):
        return None
    a, b = (np.arange(-128, 128) - attributes[f"zero_{name}"] for name in "ab")
    levels = reference_sums(attributes, sign) - attributes["zero"]
    bounds = (attributes["low"] - attributes["zero"], attributes["high"] - attributes["zero"])
    real_a, real_b = (real_factor(attributes, name) for name in "ab")
    for ulps_a, ulps_b in _CANDIDATES:
        scale_a = (np.float32(real_a).view("int32") + np.int32(ulps_a)).view("float32")
        scale_b = (np.float32(sign * real_b).view("int32") + np.int32(ulps_b)).view("float32")
        sums = (a.astype("float32") * scale_a)[:, np.newaxis] + b.astype("float32") * scale_b
        for nudge, is_signed in _nudges(sums, levels, bounds):
            signed = np.where(np.signbit(sums), -nudge, nudge) if is_signed else nudge
            found = (sums + signed + _MAGIC).view("int32") - _MAGIC.view("int32")
            if np.array_equal(np.clip(found, *bounds), levels):
                return FloatSum(scale_a, scale_b, nudge, is_signed)
    return None


def reference_sums(attributes: Mapping[str, int], sign: int) -> Array:
    """int64 [256, 256]: the element for each pair of operands, from -128 on."""
    a, b = (
        multiplied(
            (np.arange(-128, 128) - attributes[f"zero_{name}"]) << LEFT_SHIFT,
            attributes[f"multiplier_{name}"],
            attributes[f"shift_{name}"],
        )
        for name in "ab"
    )
    sums = multiplied(a[:, np.newaxis] + sign * b, attributes["multiplier_y"], attributes["shift_y"])
    elements: Array = np.clip(sums + attributes["zero"], attributes["low"], attributes["high"])
    return elements


def multiplied(values: Array, multiplier: int, shift: int) -> Array:
    """`rune_multiply` of values that do not leave int32 when they are shifted to the left."""
    high = ((values << max(shift, 0)) * multiplier + (1 << 30)) >> 31
    right = max(-shift, 0)
    mask = (1 << right) - 1
    rounded: Array = (high >> right) + ((high & mask) > (mask >> 1) + (high < 0))
    return rounded


def real_factor(attributes: Mapping[str, int], name: str) -> float:
    """The factor from an operand to the result."""
    factors = (name, "y")
    scales = [attributes[f"multiplier_{f}"] * 2.0 ** (attributes[f"shift_{f}"] - 31) for f in factors]
    return math.prod(scales) * (1 << LEFT_SHIFT)


def _nudges(sums: Array, levels: Array, bounds: tuple[int, int]) -> Iterator[tuple[np.float32, bool]]:
    """What might bring sums to their levels: the middle of the range that all sums leave, without and with
    the sums' signs."""
    distances = levels - sums.astype("float64")
    lower = np.where(levels > bounds[0], distances - 0.5, -0.49)
    upper = np.where(levels < bounds[1], distances + 0.5, 0.49)
    for is_signed in (False, True):
        mirrored = np.signbit(sums) & is_signed
        least = np.where(mirrored, -upper, lower).max()
        most = np.where(mirrored, -lower, upper).min()
        yield np.float32((least + most) / 2), is_signed
