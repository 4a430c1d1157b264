"""Kernels of the `mcu` profile for sums of products of int16 activations and int8 weights, around the C of
`kernels/mcu_int16.h`.

They multiply pairs of halfwords, as those of `mcu.py` do, where it is proved that no sum leaves 32 bits; one
that the reference keeps in 64 bits then takes a single product to the output's scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from builder import tir
from builder.blocking.shapes import COLUMN_BYTES, PLANE_BYTES, Planes, Strips
from builder.families.mcu import (
    Array,
    pack_taps,
    round_up,
    taps_along_columns,
    words_of,
    workspace,
)
from builder.families.window import Window
from builder.operators.base import Kernel, constant, constant_value, dtype_of, shape_of

PIXELS = 3
"""Output pixels of a micro-kernel."""
LARGEST_INPUT = 1 << 15
"""An int16, without its sign."""
LARGEST_REDUCED_SHIFT = 16
"""Of a multiplier of 15 bits that stays within 31."""


@dataclass(frozen=True)
class Scaling:
    """What brings the sums of each output channel to the output's scale, and the weights that go with it."""

    weights: Array
    """int64 [channels, taps]."""
    bias: Array
    """int64 [channels]."""
    scales: Array
    """int64 [channels, 2]: a multiplier and 0, or one doubled and 2^32 over the divisor, or its logarithm."""
    low: int
    high: int
    once: bool
    """Whether one multiplication does it, rounded: what the reference does with sums of 64 bits."""
    shifts: bool
    """Whether some divisor is below 4."""

    @property
    def range(self) -> tuple[int, ...]:
        """What `rune_mcu16_range` holds."""
        return self.low, self.high, int(self.once), int(self.shifts)


def scaling(call: Any, channel_axis: int) -> Scaling | None:
    """That of a call of input, weights, bias, multiplier and shift; None where the kernels do not fit."""
    if dtype_of(call.args[0]) != "int16" or dtype_of(call) != "int16" or len(call.args) != 5:
        return None
    if call.attrs.get("rounding", "twice") != "twice" or dtype_of(call.args[1]) != "int8":
        return None
    zeros = (int(call.attrs.get(name, 0)) for name in ("input_zero", "weight_zero", "output_zero"))
    weights, bias, multipliers, shifts = (
        constant_value(argument).astype(np.int64) for argument in call.args[1:]
    )
    weights = np.moveaxis(weights, channel_axis, 0).reshape(len(bias), -1)
    largest = LARGEST_INPUT * np.abs(weights).sum(axis=1) + np.abs(bias)
    if any(zeros) or largest.max(initial=0) >= 1 << 31:
        return None
    low, high = int(call.attrs["low"]), int(call.attrs["high"])
    if dtype_of(call.args[2]) == "int64":
        scales = _once(multipliers, shifts)
        return None if scales is None else Scaling(weights, bias, scales, low, high, True, False)
    if (multipliers < 1 << 30).any() or shifts.max(initial=0) > 0:
        return None
    is_small = bool(shifts.max(initial=-2) > -2)
    divisors = -shifts if is_small else 1 << (32 + shifts)
    return Scaling(weights, bias, np.stack([2 * multipliers, divisors], axis=1), low, high, False, is_small)


def _once(multipliers: Array, shifts: Array) -> Array | None:
    """Multipliers of which the upper word of a product, rounded, is what `rune_requantize_wide` computes."""
    reduced = np.where(multipliers < 0x7FFF0000, (multipliers + (1 << 15)) >> 16, 0x7FFF)
    left = 17 + shifts
    if left.min(initial=0) < 0 or left.max(initial=0) > LARGEST_REDUCED_SHIFT:
        return None
    return np.stack([reduced << left, np.zeros_like(left)], axis=1)


def convolution(call: Any, scaled: Scaling, window: Window) -> Kernel:
    """A convolution without groups."""
    return _convolution(call, scaled, window, shape_of(call.args[0]), shape_of(call))


def fully_connected(call: Any, scaled: Scaling) -> Kernel:
    """A fully connected layer: a 1x1 convolution over a row of pixels."""
    rows, depth = shape_of(call.args[0])
    window = Window(1, 1, 1, 1, 1, 1, 0, 0)
    return _convolution(call, scaled, window, (1, 1, rows, depth), (1, 1, rows, shape_of(call)[1]))


def _convolution(
    call: Any, scaled: Scaling, window: Window, x_shape: tuple[int, ...], y_shape: tuple[int, ...]
) -> Kernel:
    batches, *image = x_shape
    words = round_up(scaled.weights.shape[1], 4) // 2
    direct = window == Window(1, 1, 1, 1, 1, 1, 0, 0) and image[2] % 4 == 0
    pixels = min(y_shape[1] * y_shape[2], PIXELS)
    if not direct and 4 * words * pixels > COLUMN_BYTES:
        pixels = 1
    pairs = 1 if pixels > 1 else 4 if y_shape[3] > 4 else 2
    geometry = (*image, *window.attributes().values(), *y_shape[1:])
    blocking = (pixels, pairs, words, int(direct), *scaled.range)

    def body(x: Any, stream: Any, y: Any) -> None:
        columns = workspace(0 if direct else pixels * words)
        with tir.loop(batches) as n:
            tensors = (tir.address(x, n, 0, 0, 0), tir.address(stream, 0), tir.address(y, n, 0, 0, 0))
            arguments = (*tensors, tir.address(columns, 0), *geometry, *blocking)
            tir.evaluate(tir.call("int32", "rune_mcu16_convolution", *arguments))

    stream = pack(scaled, pairs)
    buffers = [("x", x_shape, "int16"), ("w", stream.shape, "int32"), ("y", y_shape, "int16")]
    return Kernel(tir.kernel(buffers, body), [call.args[0], constant(stream)])


def pack(scaled: Scaling, pairs: int) -> Array:
    """int32: of each block of `pairs` pairs of channels bias and scales, then their weights in turn.

    A word has two taps of two channels: first, second, first, second.
    """
    channels, taps = scaled.weights.shape
    blocks = -(-channels // (2 * pairs))
    weights = np.zeros((blocks * 2 * pairs, round_up(taps, 4)), np.int64)
    weights[:channels, :taps] = scaled.weights & 0xFF
    header = np.zeros((blocks * 2 * pairs, 3), np.int64)
    header[:channels] = np.concatenate([scaled.bias[:, np.newaxis], scaled.scales], axis=1)
    halves = (weights[0::2] | weights[1::2] << 8).reshape(blocks, pairs, -1, 2)
    words = (halves[..., 0] | halves[..., 1] << 16).transpose(0, 2, 1).reshape(blocks, -1)
    return words_of(np.concatenate([header.reshape(blocks, -1), words], axis=1))


def depthwise(call: Any, scaled: Scaling, window: Window) -> Kernel | None:
    """A depthwise convolution; None where the kernel does not fit."""
    batches, *image = shape_of(call.args[0])
    channels = shape_of(call)[3]
    rows_of_taps = taps_along_columns(call, scaled.weights, window)
    if rows_of_taps is None:
        return None
    sides, taps, words, pitch = rows_of_taps
    # Two channels are gathered by words, where each is one plane and they are whole words.
    group = 2 if image[2] % 2 == 0 and channels == image[2] else 1
    planes = Planes(sides.rows.result, sides.rows.extent, sides.rows.stride, pitch, group > 1)
    strips = Strips(group, _rows_at_a_time(planes, group))
    places = (pitch, channels, channels // image[2], strips.group, strips.rows, words)
    geometry = (*sides.arguments(0), *places, *scaled.range)

    def body(x: Any, stream: Any, y: Any) -> None:
        room = workspace(planes.plane_bytes(strips) // 4)
        with tir.loop(batches) as n:
            tensors = (tir.address(x, n, 0, 0, 0), tir.address(stream, 0), tir.address(y, n, 0, 0, 0))
            arguments = (*tensors, tir.address(room, 0), *geometry)
            tir.evaluate(tir.call("int32", "rune_mcu16_depthwise", *arguments))

    header = np.concatenate([scaled.bias[:, np.newaxis], scaled.scales], axis=1)
    stream = pack_taps(header, taps, words)
    buffers = [
        ("x", shape_of(call.args[0]), "int16"),
        ("w", stream.shape, "int32"),
        ("y", shape_of(call), "int16"),
    ]
    return Kernel(tir.kernel(buffers, body), [call.args[0], constant(stream)])


def _rows_at_a_time(planes: Planes, group: int) -> int:
    """Rows of the result: as many as the copies of their input have room for, but one."""
    fitting = [
        rows for rows in range(1, planes.rows + 1) if planes.plane_bytes(Strips(group, rows)) <= PLANE_BYTES
    ]
    return max(fitting, default=1)
