"""The kernel of the `mcu` profile for depthwise convolutions of int8 with few pixels as their result.

Streaming models have them.  It is around the C of `kernels/mcu_depthwise.h`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from builder import tir
from builder.families.mcu import Array, Scaling, words_of
from builder.families.window import Window
from builder.operators.base import Kernel, constant, shape_of

QUAD = 4
"""Channels at a time: a word of them."""
MOST_PIXELS = 3
"""Of the result; with more, copies of channels pay."""


def fits(call: Any, window: Window) -> bool:
    """Whether the result has few pixels, and no window reaches beyond the image."""
    _, *size, depth = shape_of(call.args[0])
    _, height, width, channels = shape_of(call)
    if channels != depth or depth % QUAD or height * width > MOST_PIXELS or window.pad_top or window.pad_left:
        return False
    reach = (
        (height - 1) * window.stride_height + (window.kernel_height - 1) * window.dilation_height,
        (width - 1) * window.stride_width + (window.kernel_width - 1) * window.dilation_width,
    )
    return all(last < extent for last, extent in zip(reach, size, strict=True))


def depthwise(call: Any, scaled: Scaling, window: Window) -> Kernel:
    """A depthwise convolution that fits."""
    batches, _, width, depth = x_shape = shape_of(call.args[0])
    y_shape, row = shape_of(call), width * depth
    taps = (window.dilation_height * row, window.dilation_width * depth)
    windows = (window.stride_height * row, window.stride_width * depth)
    geometry = (window.kernel_height, window.kernel_width, *taps, *windows, *y_shape[1:])

    def body(x: Any, stream: Any, y: Any) -> None:
        with tir.loop(batches) as n:
            tensors = (tir.address(x, n, 0, 0, 0), tir.address(stream, 0), tir.address(y, n, 0, 0, 0))
            arguments = (*tensors, *geometry, *scaled.range)
            tir.evaluate(tir.call("int32", "rune_mcu_depthwise_inside", *arguments))

    stream = pack(scaled)
    buffers = [("x", x_shape, "int8"), ("w", stream.shape, "int32"), ("y", y_shape, "int8")]
    return Kernel(tir.kernel(buffers, body), [call.args[0], constant(stream)])


def pack(scaled: Scaling) -> Array:
    """int32: of every four channels bias and scale each, then of each tap the halfwords (0, 2) and (1, 3)."""
    channels, taps = scaled.weights.shape
    header = np.stack([scaled.bias, scaled.multipliers, scaled.divisors], axis=1).reshape(-1, 3 * QUAD)
    quads = scaled.weights.reshape(channels // QUAD, 2, 2, taps) & 0xFFFF
    words = (quads[:, 0] | quads[:, 1] << 16).transpose(0, 2, 1).reshape(channels // QUAD, -1)
    return words_of(np.concatenate([header, words], axis=1))
