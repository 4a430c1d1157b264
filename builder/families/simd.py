"""Vector kernels of the `simd` profile for sums of products of int8, around the C of `kernels/simd.h`.

The input is first widened to int16 without its zero point, into a buffer whose border is zero.  Then two
pixels by four channels are computed at a time along the taps of a row, from weights packed when building.
Rows that are no whole vectors are first put side by side, window by window.
Every bit is that of the scalar kernels; what cannot be proved to fit is left to them (`fits`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from builder import tir
from builder.families.vector_scaling import LARGEST_SHIFT, Scaling, scaling_of
from builder.families.window import Window
from builder.operators.base import Kernel, constant, constant_value, dtype_of, shape_of

LANES = 8
"""Halfwords of a vector."""
BLOCK = 4
"""Output channels of a micro-kernel."""
LARGEST_SUM = 1 << 30
"""Sums below it can be scaled in 32 bits."""

Array = np.ndarray[Any, Any]


def fits(call: Any, channel_axis: int) -> bool:
    """Whether a call of input, weights, bias, multiplier and shift can be computed by the vector kernels.

    It must be int8, rounded twice, with shifts to the right; and no sum may come near the end of int32.
    """
    if dtype_of(call.args[0]) != "int8" or dtype_of(call) != "int8" or len(call.args) != 5:
        return False
    if call.attrs.get("rounding", "twice") != "twice" or int(call.attrs.get("weight_zero", 0)) != 0:
        return False
    shifts = constant_value(call.args[4])
    largest = int(largest_sums(call, channel_axis).max())
    return largest < LARGEST_SUM and int(shifts.max()) <= 0 and int(shifts.min()) >= -LARGEST_SHIFT


def largest_sums(call: Any, channel_axis: int) -> Array:
    """How far from zero the sums of each channel can be, the bias included."""
    weights, bias = (constant_value(argument).astype(np.int64) for argument in call.args[1:3])
    by_channel = np.moveaxis(weights, channel_axis, 0).reshape(len(bias), -1)
    largest: Array = 255 * np.abs(by_channel).sum(axis=1) + np.abs(bias)
    return largest


def convolution(call: Any, window: Window) -> Kernel:
    """A convolution without groups, not dilated along rows.  The call satisfies `fits`."""
    batches, height, width, depth = shape_of(call.args[0])
    if window == Window(1, 1, 1, 1, window.dilation_height, window.dilation_width, 0, 0):
        # Its pixels lie side by side.
        pixels = batches * height * width
        return _rows_by_channels(call, window, (1, 1, pixels, depth), (1, 1, pixels, shape_of(call)[3]))
    return _rows_by_channels(call, window, (batches, height, width, depth), shape_of(call))


def fully_connected(call: Any) -> Kernel:
    """A fully connected layer: a 1x1 convolution over a row of pixels.  The call satisfies `fits`."""
    rows, depth = shape_of(call.args[0])
    if rows == 1:
        return _dense(call, depth, shape_of(call)[1])
    window = Window(1, 1, 1, 1, 1, 1, 0, 0)
    return _rows_by_channels(call, window, (1, 1, rows, depth), (1, 1, rows, shape_of(call)[1]))


def _dense(call: Any, depth: int, channels: int) -> Kernel:
    """A fully connected layer of a single row."""
    starts, scaling = block_starts(channels, BLOCK), layer_scaling(call, 0)
    filters = constant_value(call.args[1]).reshape(channels, 1, depth)
    weights, scales = pack_rows(filters, starts).astype("int8"), scaling.packed(starts, BLOCK)
    size, count = _round_up(depth, LANES), min(channels, BLOCK)
    image = PaddedImage(Window(1, 1, 1, 1, 1, 1, 0, 0), (1, 1, depth), (1, 1, 1, channels))

    def body(x: Any, w: Any, s: Any, y: Any) -> None:
        padded = tir.workspace("int16", image.count)
        image.fill(tir.address(x, 0, 0), padded, call)
        with tir.loop(len(starts)) as block:
            pointers = (
                tir.address(padded, 0),
                tir.address(w, block * (BLOCK * size)),
                tir.address(s, block * (len(scales) // len(starts))),
                tir.address(y, 0, tir.minimum(block * BLOCK, channels - count)),
            )
            arguments = (*pointers, size, count, *output_arguments(call, scaling))
            tir.evaluate(tir.call("int32", "rune_dense_block", *arguments))

    return layer_kernel(call, weights, scales, (1, depth), (1, channels), body)


def depthwise(call: Any, window: Window) -> Kernel:
    """A depthwise convolution of at least eight channels, one filter each.  The call satisfies `fits`."""
    batches, height, width, channels = shape_of(call.args[0])
    image = PaddedImage(window, (height, width, channels), shape_of(call))
    starts = block_starts(channels, LANES)
    scaling = layer_scaling(call, 3)
    weights, scales = pack_taps(constant_value(call.args[1]), starts), scaling.packed(starts, LANES)
    taps = (window.kernel_height, window.kernel_width)
    steps = (window.dilation_height * image.pitch, window.dilation_width * channels)

    def body(x: Any, w: Any, s: Any, y: Any) -> None:
        padded = tir.workspace("int16", image.count)
        with tir.loop(batches) as n:
            image.fill(tir.address(x, n, 0, 0, 0), padded, call)
            with tir.loops(len(starts), *shape_of(call)[1:3]) as (block, oy, ox):
                # The last block overlaps the one before it where the channels are no multiple of eight.
                channel = tir.minimum(block * LANES, channels - LANES)
                pointers = (
                    tir.address(padded, image.offset(oy, ox) + channel),
                    tir.address(w, block * (len(weights) // len(starts))),
                    tir.address(s, block * (len(scales) // len(starts))),
                    tir.address(y, n, oy, ox, channel),
                )
                arguments = (*pointers, *taps, *steps, *output_arguments(call, scaling))
                tir.evaluate(tir.call("int32", "rune_depthwise_block", *arguments))

    return layer_kernel(call, weights, scales, shape_of(call.args[0]), shape_of(call), body)


def _rows_by_channels(
    call: Any, window: Window, x_shape: tuple[int, ...], y_shape: tuple[int, ...]
) -> Kernel:
    batches, height, width, depth = x_shape
    _, y_height, y_width, channels = y_shape
    image = PaddedImage(window, (height, width, depth), y_shape)
    patches = _Patches(window, image, depth, y_width)
    starts = block_starts(channels, BLOCK)
    scaling = layer_scaling(call, 0)
    filters = constant_value(call.args[1]).reshape(channels, patches.rows, -1)
    weights, scales = pack_rows(filters, starts), scaling.packed(starts, BLOCK)
    pixels, count = min(y_width, 2), min(channels, BLOCK)

    def body(x: Any, w: Any, s: Any, y: Any) -> None:
        padded = tir.workspace("int16", image.count)
        gathered = tir.workspace("int16", patches.count) if patches.are_gathered else None
        with tir.loop(batches) as n:
            image.fill(tir.address(x, n, 0, 0, 0), padded, call)
            with tir.loop(y_height) as oy:
                windows = patches.fill(padded, gathered, oy)
                with tir.loops(len(starts), -(-y_width // 2)) as (block, pair):
                    # The last pair and block overlap the ones before them where pixels or channels are odd.
                    ox = tir.minimum(pair * 2, y_width - pixels)
                    pointers = (
                        windows(ox),
                        tir.address(w, block * (len(weights) // len(starts))),
                        tir.address(s, block * (len(scales) // len(starts))),
                        tir.address(y, n, oy, ox, tir.minimum(block * BLOCK, channels - count)),
                    )
                    arguments = (*pointers, *patches.geometry, pixels, patches.step, channels, count)
                    arguments = (*arguments, *output_arguments(call, scaling))
                    tir.evaluate(tir.call("int32", "rune_conv_block", *arguments))

    return layer_kernel(call, weights, scales, x_shape, y_shape, body)


class _Patches:
    """What the windows of a row of output pixels see: rows of the image itself, where they are whole vectors;
    else copies that are, each window's rows side by side."""

    def __init__(self, window: Window, image: PaddedImage, depth: int, pixels: int) -> None:
        row = window.kernel_width * depth
        self._image, self._row, self._window, self._pixels = image, row, window, pixels
        self._x_step = window.stride_width * depth
        self._pitch = window.dilation_height * image.pitch
        self.are_gathered = window.kernel_height > 1 and row % LANES != 0
        self.rows = 1 if self.are_gathered else window.kernel_height
        size = _round_up(row * window.kernel_height // self.rows, LANES)
        self.geometry = (self.rows, self._pitch, size)
        self.step = size if self.are_gathered else self._x_step
        self.count = pixels * size + LANES

    def fill(self, padded: Any, gathered: Any, oy: Any) -> Callable[[Any], Any]:
        """Makes the windows of an output row; gives what tells the address of a pixel's."""
        if not self.are_gathered:
            return lambda ox: tir.address(padded, self._image.offset(oy, ox))
        places = (tir.address(padded, self._image.offset(oy, 0)), tir.address(gathered, 0))
        rows = (self._window.kernel_height, self._pitch, self._row)
        arguments = (*places, self._pixels, self._x_step, *rows, self.step)
        tir.evaluate(tir.call("int32", "rune_gather_windows", *arguments))
        return lambda ox: tir.address(gathered, ox * self.step)


def block_starts(channels: int, block: int) -> list[int]:
    """The first channel of each block."""
    return [min(start, max(channels - block, 0)) for start in range(0, channels, block)]


def layer_kernel(
    call: Any, weights: Array, scales: Array, x_shape: tuple[int, ...], y_shape: tuple[int, ...], body: Any
) -> Kernel:
    """The kernel of input, packed weights and packed constants of the scaling."""
    buffers = [
        ("x", x_shape, "int8"),
        ("w", weights.shape, str(weights.dtype)),
        ("scales", scales.shape, "int32"),
        ("y", y_shape, "int8"),
    ]
    return Kernel(tir.kernel(buffers, body), [call.args[0], constant(weights), constant(scales)])


class PaddedImage:
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
        self._extent = rows * self.pitch + LANES
        self.count = self._extent + LANES

    def offset(self, oy: Any, ox: Any) -> Any:
        """Where the window of an output pixel begins."""
        return oy * (self._window.stride_height * self.pitch) + ox * (self._window.stride_width * self._depth)

    def fill(self, x: Any, padded: Any, call: Any) -> None:
        border = (self._window.pad_top, self._window.pad_left * self._depth)
        offset = -int(call.attrs["input_zero"])
        arguments = (x, tir.address(padded, 0), *self._rows, *border, self.pitch, self._extent, offset)
        tir.evaluate(tir.call("int32", "rune_widen", *arguments))


def pack_rows(filters: Array, starts: Sequence[int]) -> Array:
    """int8 [channels, rows, n] as int16 [block, row, vector, channel of the block, lane]."""
    channels, rows, size = filters.shape
    padded = np.zeros((_round_up(channels, BLOCK), rows, _round_up(size, LANES)), "int16")
    padded[:channels, :, :size] = filters
    blocks = np.stack([padded[start : start + BLOCK] for start in starts])
    vectors = blocks.reshape(*blocks.shape[:3], -1, LANES)
    return np.ascontiguousarray(vectors.transpose(0, 2, 3, 1, 4)).reshape(-1)


def pack_taps(weights: Array, starts: Sequence[int]) -> Array:
    """int8 [1, height, width, channels] as int16 [block, pair of taps, channel of the block, 2]."""
    taps = weights.reshape(-1, weights.shape[3])
    padded = np.zeros((_round_up(len(taps), 2), taps.shape[1]), "int16")
    padded[: len(taps)] = taps
    blocks = np.stack([padded[:, start : start + LANES] for start in starts])
    return np.ascontiguousarray(blocks.reshape(len(starts), -1, 2, LANES).swapaxes(2, 3)).reshape(-1)


def layer_scaling(call: Any, channel_axis: int) -> Scaling:
    """How a layer's sums are brought to the output's scale."""
    bias, multipliers, shifts = (constant_value(argument) for argument in call.args[2:])
    return scaling_of(bias, multipliers, shifts, largest_sums(call, channel_axis), _bounds(call))


def output_arguments(call: Any, scaling: Scaling) -> tuple[int, ...]:
    """What the micro-kernels ask for about the output."""
    return (int(scaling.arithmetic), int(scaling.is_signed), scaling.zero, *_bounds(call)[1:])


def _bounds(call: Any) -> tuple[int, int, int]:
    zero, low, high = (int(call.attrs[name]) for name in ("output_zero", "low", "high"))
    return zero, low, high


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
