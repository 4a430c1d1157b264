"""Vector kernels of the `simd` profile for sums of products of int8, around the C of `kernels/simd.h`.

The input is first widened to int16 without its zero point, into a buffer whose border is zero.  Then two
pixels by four channels are computed at a time along the taps of a row, from weights packed when building.
Every bit is that of the scalar kernels; what cannot be proved to fit is left to them (`fits`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from builder import tir
from builder.families.window import Window
from builder.operators.base import Kernel, constant, constant_value, dtype_of, shape_of

LANES = 8
"""Halfwords of a vector."""
BLOCK = 4
"""Output channels of a micro-kernel."""
LARGEST_SUM = 1 << 30
"""Sums below it can be scaled in 32 bits."""
LARGEST_SHIFT = 30

Array = np.ndarray[Any, Any]


def fits(call: Any, channel_axis: int) -> bool:
    """Whether a call of input, weights, bias, multiplier and shift can be computed by the vector kernels.

    It must be int8, rounded twice, with shifts to the right; and no sum may come near the end of int32.
    """
    if dtype_of(call.args[0]) != "int8" or dtype_of(call) != "int8" or len(call.args) != 5:
        return False
    if call.attrs.get("rounding", "twice") != "twice" or int(call.attrs.get("weight_zero", 0)) != 0:
        return False
    weights, bias, _, shifts = (constant_value(argument) for argument in call.args[1:])
    by_channel = np.moveaxis(weights, channel_axis, 0).astype(np.int64).reshape(len(bias), -1)
    sums = np.abs(by_channel).sum(axis=1)
    largest = int((255 * sums + np.abs(bias.astype(np.int64))).max())
    return largest < LARGEST_SUM and int(shifts.max()) <= 0 and int(shifts.min()) >= -LARGEST_SHIFT


def convolution(call: Any, window: Window) -> Kernel:
    """A convolution without groups, not dilated along rows.  The call satisfies `fits`."""
    batches, height, width, depth = shape_of(call.args[0])
    return _rows_by_channels(call, window, (batches, height, width, depth), shape_of(call))


def fully_connected(call: Any) -> Kernel:
    """A fully connected layer: a 1x1 convolution over a row of pixels.  The call satisfies `fits`."""
    rows, depth = shape_of(call.args[0])
    window = Window(1, 1, 1, 1, 1, 1, 0, 0)
    return _rows_by_channels(call, window, (1, 1, rows, depth), (1, 1, rows, shape_of(call)[1]))


def depthwise(call: Any, window: Window) -> Kernel:
    """A depthwise convolution of at least eight channels, one filter each.  The call satisfies `fits`."""
    batches, height, width, channels = shape_of(call.args[0])
    image = _PaddedImage(window, (height, width, channels), shape_of(call))
    scaling = (channels, *_bounds(call))
    taps = (window.kernel_height, window.kernel_width)
    steps = (window.dilation_height * image.pitch, window.dilation_width * channels)

    def body(x: Any, w: Any, scales: Any, y: Any) -> None:
        padded = tir.workspace("int16", image.count)
        with tir.loop(batches) as n:
            image.fill(tir.address(x, n, 0, 0, 0), padded, call)
            with tir.loops(*shape_of(call)[1:3], -(-channels // LANES)) as (oy, ox, block):
                # The last block overlaps the one before it where the channels are no multiple of eight.
                c = tir.minimum(block * LANES, channels - LANES)
                pointers = (
                    tir.address(padded, image.offset(oy, ox) + c),
                    tir.address(w, c),
                    tir.address(scales, c),
                    tir.address(y, n, oy, ox, c),
                )
                tir.evaluate(tir.call("int32", "rune_depthwise_block", *pointers, *taps, *steps, *scaling))

    weights = constant_value(call.args[1]).astype("int16").reshape(-1)
    return _kernel(call, weights, _scales(call, channels), shape_of(call.args[0]), shape_of(call), body)


def _rows_by_channels(
    call: Any, window: Window, x_shape: tuple[int, ...], y_shape: tuple[int, ...]
) -> Kernel:
    batches, height, width, depth = x_shape
    _, y_height, y_width, channels = y_shape
    image = _PaddedImage(window, (height, width, depth), y_shape)
    row = _round_up(window.kernel_width * depth, LANES)
    padded_channels = _round_up(channels, BLOCK)
    pixels = min(y_width, 2)
    geometry = (window.kernel_height, window.dilation_height * image.pitch, row, pixels)
    steps = (window.stride_width * depth, channels, padded_channels)

    def body(x: Any, w: Any, scales: Any, y: Any) -> None:
        padded = tir.workspace("int16", image.count)
        with tir.loop(batches) as n:
            image.fill(tir.address(x, n, 0, 0, 0), padded, call)
            with tir.loops(y_height, -(-y_width // 2), padded_channels // BLOCK) as (oy, pair, block):
                # The last pair overlaps the one before it where the pixels are odd.
                ox = tir.minimum(pair * 2, y_width - pixels)
                pointers = (
                    tir.address(padded, image.offset(oy, ox)),
                    tir.address(w, block * (window.kernel_height * row * BLOCK)),
                    tir.address(scales, block * BLOCK),
                    tir.address(y, n, oy, ox, block * BLOCK),
                )
                count = tir.minimum(BLOCK, channels - block * BLOCK)
                arguments = (*pointers, *geometry, *steps, count, *_bounds(call))
                tir.evaluate(tir.call("int32", "rune_conv_block", *arguments))

    weights = pack_rows(constant_value(call.args[1]), window)
    return _kernel(call, weights, _scales(call, padded_channels), x_shape, y_shape, body)


def _kernel(
    call: Any, weights: Array, scales: Array, x_shape: tuple[int, ...], y_shape: tuple[int, ...], body: Any
) -> Kernel:
    buffers = [
        ("x", x_shape, "int8"),
        ("w", weights.shape, "int16"),
        ("scales", scales.shape, "int32"),
        ("y", y_shape, "int8"),
    ]
    return Kernel(tir.kernel(buffers, body), [call.args[0], constant(weights), constant(scales)])


class _PaddedImage:
    """The int16 copy of one image with its zero border."""

    def __init__(self, window: Window, image: tuple[int, int, int], result: tuple[int, ...]) -> None:
        height, width, self._depth = image
        self._window = window
        self._rows = (height, width * self._depth)
        reach_height = (result[1] - 1) * window.stride_height + (
            window.kernel_height - 1
        ) * window.dilation_height
        reach_width = (result[2] - 1) * window.stride_width + (
            window.kernel_width - 1
        ) * window.dilation_width
        self.pitch = max(reach_width + 1, window.pad_left + width) * self._depth
        rows = max(reach_height + 1, window.pad_top + height)
        # A row of taps is rounded up to whole vectors, so the last one is read past its end.
        self.count = rows * self.pitch + LANES

    def offset(self, oy: Any, ox: Any) -> Any:
        """Where the window of an output pixel begins."""
        return oy * (self._window.stride_height * self.pitch) + ox * (self._window.stride_width * self._depth)

    def fill(self, x: Any, padded: Any, call: Any) -> None:
        border = (self._window.pad_top, self._window.pad_left * self._depth)
        offset = -int(call.attrs["input_zero"])
        arguments = (x, tir.address(padded, 0), *self._rows, *border, self.pitch, self.count, offset)
        tir.evaluate(tir.call("int32", "rune_widen", *arguments))


def pack_rows(weights: Array, window: Window) -> Array:
    """int8 [channels, height, width, depth] as int16 [block, row, vector, channel of the block, lane]."""
    channels, row = (
        len(weights),
        window.kernel_width * (weights.size // len(weights)) // (window.kernel_height * window.kernel_width),
    )
    padded = np.zeros(
        (_round_up(channels, BLOCK), window.kernel_height, _round_up(row, LANES)), dtype="int16"
    )
    padded[:channels, :, :row] = weights.reshape(channels, window.kernel_height, row)
    blocks = padded.reshape(-1, BLOCK, window.kernel_height, padded.shape[2] // LANES, LANES)
    return np.ascontiguousarray(blocks.transpose(0, 2, 3, 1, 4)).reshape(-1)


def _scales(call: Any, channels: int) -> Array:
    """int32 [5 * channels]: the bias, the multiplier, and the shift as `rune_requantize_x4` wants it."""
    bias, multipliers, shifts = (constant_value(argument).astype(np.int64) for argument in call.args[2:])
    right = -shifts
    table = np.zeros((5, channels), "int64")
    table[4] = 1 << LARGEST_SHIFT
    table[:, : len(bias)] = (
        bias,
        multipliers,
        np.where(right > 0, 1 << np.maximum(right - 1, 0), 0),
        np.where(right > 0, -1, 0),
        1 << (LARGEST_SHIFT - right),
    )
    return table.astype("int32").reshape(-1)


def _bounds(call: Any) -> tuple[int, int, int]:
    zero, low, high = (int(call.attrs[name]) for name in ("output_zero", "low", "high"))
    return zero, low, high


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
