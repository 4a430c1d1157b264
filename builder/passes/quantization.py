"""Quantised tensors in graphs of dequantize -> float operator -> quantize: reading them, moving the borders.

Dequantisation moves as late as it can and quantisation as early as it can, past everything that commutes with
them exactly, so that what lies between a model's operators is integers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import relax

from builder.fixed_point import INTEGER_RANGE
from builder.operators import by_name
from builder.operators.base import constant, constant_value, dtype_of, is_constant, shape_of
from builder.passes.movement import axes_of, permute, reshape
from builder.passes.rewriting import MOVEMENT, Rewriter, is_call

SIGN_BIT = 128
"""What uint8 and int8 of the same bits differ by."""


@dataclass(frozen=True)
class Affine:
    """real = scale * (integer - zero), for the whole tensor or along an axis."""

    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    axis: int | None
    dtype: str
    """Of the integers."""

    @property
    def scale(self) -> float:
        return self.scales[0]

    @property
    def zero(self) -> int:
        return self.zeros[0]

    def parameters(self) -> tuple[Any, Any]:
        """Scale and zero point as Relax constants."""
        scales, zeros = np.array(self.scales, "float32"), np.array(self.zeros, self.dtype)
        if self.axis is None:
            scales, zeros = scales.reshape(()), zeros.reshape(())
        return constant(scales), constant(zeros)


def affine(call: Any) -> Affine | None:
    """The quantisation of a `relax.quantize` or `dequantize`; None unless constant, sound and float32."""
    x, scale, zero = call.args
    if not is_constant(scale) or not is_constant(zero):
        return None
    integers, reals = (
        (dtype_of(call), dtype_of(x)) if call.op.name == "relax.quantize" else (dtype_of(x), dtype_of(call))
    )
    scales, zeros = constant_value(scale).reshape(-1), constant_value(zero).reshape(-1)
    if reals != "float32" or integers not in INTEGER_RANGE or scales.dtype != np.float32 or scales.size == 0:
        return None
    if not np.all(np.isfinite(scales)) or np.any(scales <= 0) or zeros.size not in (1, scales.size):
        return None
    axis = int(call.attrs.axis) % max(len(shape_of(x)), 1) if scales.size > 1 else None
    zeros = np.broadcast_to(zeros, scales.shape)
    return Affine(tuple(map(float, scales)), tuple(map(int, zeros)), axis, integers)


def dequantized(rewriter: Rewriter, value: Any) -> tuple[Any, Affine] | None:
    """The integers that a float value is made from, and their quantisation, if it is."""
    call = rewriter.producer(value, "relax.dequantize")
    found = affine(call) if call is not None else None
    return (call.args[0], found) if call is not None and found is not None else None


def dequantize(rewriter: Rewriter, integers: Any, quantization: Affine) -> Any:
    axis = 0 if quantization.axis is None else quantization.axis
    return rewriter.emit(
        relax.op.dequantize(integers, *quantization.parameters(), axis=axis, out_dtype="float32")
    )


def quantize(rewriter: Rewriter, reals: Any, quantization: Affine) -> Any:
    return rewriter.emit(
        relax.op.quantize(reals, *quantization.parameters(), axis=0, out_dtype=quantization.dtype)
    )


def steps_of(real: float, quantization: Affine) -> int:
    """The integer of a real number, as QuantizeLinear makes it: ties to even, saturated."""
    low, high = INTEGER_RANGE[quantization.dtype]
    ratio = float(np.float32(real) / np.float32(quantization.scale))
    return int(min(max(np.rint(ratio) + quantization.zero, low), high))


def dequantize_after_movement(rewriter: Rewriter, call: Any) -> Any:
    if not is_call(call, *MOVEMENT):
        return None
    found = dequantized(rewriter, call.args[0])
    if found is None:
        return None
    integers, quantization = found
    if call.op.name == "relax.permute_dims":
        axis = None if quantization.axis is None else axes_of(call).index(quantization.axis)
        moved = permute(rewriter, integers, axes_of(call))
    else:
        axis = _axis_after_reshape(shape_of(integers), shape_of(call), quantization.axis)
        if axis is None and quantization.axis is not None:
            return None
        moved = reshape(rewriter, integers, shape_of(call))
    return dequantize(
        rewriter, moved, Affine(quantization.scales, quantization.zeros, axis, quantization.dtype)
    )


def _axis_after_reshape(before: Sequence[int], after: Sequence[int], axis: int | None) -> int | None:
    """Where an axis is after a reshape that leaves it whole; None where it does not."""
    if axis is None:
        return None
    for candidate, size in enumerate(after):
        if size == before[axis] and math.prod(after[:candidate]) == math.prod(before[:axis]):
            return candidate
    return None


def dequantize_after_bounds(rewriter: Rewriter, call: Any) -> Any:
    """relu(dequantize(q)) is dequantize(clip(q)): the scale is positive, so order is kept."""
    bounds = bounds_of(call)
    found = dequantized(rewriter, call.args[0]) if bounds is not None else None
    if bounds is None or found is None or found[1].axis is not None:
        return None
    integers, quantization = found
    clipped = _clipped(rewriter, integers, bounds, quantization)
    # An integer bound stands for a real one only if the real one is on the grid.
    on_grid = all(
        bound is None
        or (steps_of(bound, quantization) - quantization.zero) * np.float32(quantization.scale) == bound
        for bound in bounds
    )
    return dequantize(rewriter, clipped, quantization) if on_grid else None


def dequantize_after_max_pool(rewriter: Rewriter, call: Any) -> Any:
    """The largest integer is the one of the largest real number."""
    if not is_call(call, "rune.max_pool2d") or str(call.attrs.get("activation", "")) != "NONE":
        return None
    found = dequantized(rewriter, call.args[0])
    if found is None or found[1].axis is not None or found[1].dtype != "int8":
        return None
    operator = by_name()["rune.max_pool2d"]
    window = {name: value for name, value in call.attrs.items() if name != "activation"}
    bounds = {"low": -SIGN_BIT, "high": SIGN_BIT - 1}
    pooled = rewriter.emit(operator.call([found[0]], {**window, **bounds}, shape_of(call), "int8"))
    return dequantize(rewriter, pooled, found[1])


def quantize_before_movement(rewriter: Rewriter, call: Any) -> Any:
    found = _plain_quantize(call)
    before = rewriter.producer(call.args[0], *MOVEMENT) if found is not None else None
    if found is None or before is None:
        return None
    integers = quantize(rewriter, before.args[0], found)
    if before.op.name == "relax.permute_dims":
        return permute(rewriter, integers, axes_of(before))
    return reshape(rewriter, integers, shape_of(before))


def quantize_before_bounds(rewriter: Rewriter, call: Any) -> Any:
    """quantize(clip(x)) is clip(quantize(x)), exactly: rounding keeps order."""
    found = _plain_quantize(call)
    before = rewriter.producer(call.args[0], "relax.nn.relu", "relax.clip") if found is not None else None
    bounds = bounds_of(before) if before is not None else None
    if found is None or before is None or bounds is None or not rewriter.exclusive(call.args[0]):
        return None
    return _clipped(rewriter, quantize(rewriter, before.args[0], found), bounds, found)


def quantize_before_concatenation(rewriter: Rewriter, call: Any) -> Any:
    """Only where all parts are quantised already; they may have other parameters."""
    found = _plain_quantize(call)
    before = rewriter.producer(call.args[0], "relax.concat") if found is not None else None
    if found is None or before is None or not isinstance(before.args[0], relax.Tuple):
        return None
    if any(dequantized(rewriter, field) is None for field in before.args[0].fields):
        return None
    parts = [quantize(rewriter, field, found) for field in before.args[0].fields]
    return rewriter.emit(relax.op.concat(parts, int(before.attrs.axis)))


def change_quantization(rewriter: Rewriter, call: Any) -> Any:
    """quantize(dequantize(q)) is q, or a rescaling in integers."""
    found = _plain_quantize(call)
    source = dequantized(rewriter, call.args[0]) if found is not None else None
    if found is None or source is None or source[1].axis is not None:
        return None
    integers, before = source
    if (before.scale, before.zero, before.dtype) == (found.scale, found.zero, found.dtype):
        return integers
    if (before.dtype, found.dtype) != ("int8", "int8"):
        return None
    operator: Any = by_name()["rune.quantize"]
    return rewriter.emit(
        operator.rescale(
            integers, (before.scale, before.zero), (found.scale, found.zero), found.dtype, rounding="once"
        )
    )


def quantize_as_int8(rewriter: Rewriter, call: Any) -> Any:
    """uint8 is int8 with the sign bit turned: every operator then knows one type only."""
    found = _plain_quantize(call)
    if found is None or found.dtype != "uint8":
        return None
    signed = Affine(found.scales, (found.zero - SIGN_BIT,), None, "int8")
    return _turned(rewriter, quantize(rewriter, call.args[0], signed), "uint8")


def dequantize_as_int8(rewriter: Rewriter, call: Any) -> Any:
    found = affine(call) if is_call(call, "relax.dequantize") else None
    if found is None or found.dtype != "uint8":
        return None
    zeros = tuple(zero - SIGN_BIT for zero in found.zeros)
    signed = _turned(rewriter, call.args[0], "int8")
    return dequantize(rewriter, signed, Affine(found.scales, zeros, found.axis, "int8"))


def _turned(rewriter: Rewriter, integers: Any, dtype: str) -> Any:
    """uint8 as int8 or the reverse, shifted by 128: twice is nothing, and it commutes with movement."""
    if is_constant(integers):
        shift = -SIGN_BIT if dtype == "int8" else SIGN_BIT
        return constant((constant_value(integers).astype("int16") + shift).astype(dtype))
    turn = rewriter.producer(integers, "rune.quantize")
    if turn is not None and dtype_of(turn.args[0]) == dtype and not int(turn.attrs.get("scale", 0)):
        return turn.args[0]
    moved = rewriter.producer(integers, *MOVEMENT)
    if moved is not None:
        inner = _turned(rewriter, moved.args[0], dtype)
        if moved.op.name == "relax.permute_dims":
            return permute(rewriter, inner, axes_of(moved))
        return reshape(rewriter, inner, shape_of(moved))
    operator: Any = by_name()["rune.quantize"]
    zeros = (SIGN_BIT, 0) if dtype == "int8" else (0, SIGN_BIT)
    return rewriter.emit(operator.rescale(integers, (1.0, zeros[0]), (1.0, zeros[1]), dtype))


def tighten_bounds(rewriter: Rewriter, call: Any) -> Any:
    """clip(op(...)) of an integer operator that clamps its result already: it clamps more narrowly."""
    if not is_call(call, "relax.clip") or dtype_of(call) != "int8":
        return None
    low, high = int(call.args[1].value), int(call.args[2].value)
    if (low, high) == INTEGER_RANGE["int8"]:
        return call.args[0]
    found = rewriter.producer(call.args[0], *(name for name in by_name()))
    if found is None or "low" not in found.attrs or not rewriter.exclusive(call.args[0]):
        return None
    attributes = dict(found.attrs.items())
    attributes["low"], attributes["high"] = (
        max(low, int(attributes["low"])),
        min(high, int(attributes["high"])),
    )
    if attributes["low"] > attributes["high"]:
        return None
    operator = by_name()[found.op.name]
    return rewriter.emit(operator.call(list(found.args), attributes, shape_of(found), "int8"))


QUANTIZATION_RULES = (
    quantize_as_int8,
    dequantize_as_int8,
    dequantize_after_movement,
    dequantize_after_bounds,
    dequantize_after_max_pool,
    quantize_before_movement,
    quantize_before_bounds,
    quantize_before_concatenation,
    change_quantization,
    tighten_bounds,
)


def bounds_of(call: Any) -> tuple[float | None, float | None] | None:
    """The real bounds that `relu` or `clip` keeps a value in; None for other calls."""
    if is_call(call, "relax.nn.relu"):
        return 0.0, None
    if is_call(call, "relax.clip") and dtype_of(call) == "float32":
        low, high = (float(bound.value) for bound in call.args[1:])
        return (None if math.isinf(low) else low), (None if math.isinf(high) else high)
    return None


def _clipped(
    rewriter: Rewriter, integers: Any, bounds: tuple[float | None, float | None], quantization: Affine
) -> Any:
    low, high = INTEGER_RANGE[quantization.dtype]
    low = low if bounds[0] is None else steps_of(bounds[0], quantization)
    high = high if bounds[1] is None else steps_of(bounds[1], quantization)
    return rewriter.emit(relax.op.clip(integers, low, high))


def _plain_quantize(call: Any) -> Affine | None:
    """The parameters of a `quantize` of the whole tensor."""
    found = affine(call) if is_call(call, "relax.quantize") else None
    return found if found is not None and found.axis is None else None
