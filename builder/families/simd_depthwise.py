"""Depthwise convolutions with rows of three taps, around the C of `kernels/depthwise.h`.

The rows of the image are interleaved two by two, so that one product of vectors takes two taps of a column
for four channels.  Rows that a window does not reach meet weights of zero: there are two sets, for windows
that begin at the upper row of a pair and at the lower one.  A column that was read serves three pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from builder import tir
from builder.families.simd import (
    LANES,
    PaddedImage,
    block_starts,
    layer_kernel,
    layer_scaling,
    output_arguments,
)
from builder.families.window import Window
from builder.operators.base import Kernel, constant_value, shape_of

CHANNELS = 4
"""Of a micro-kernel."""
WIDTH = 3
"""Taps of a row."""
COSTS = {5: 67, 4: 55, 3: 47}
"""What so many pixels side by side take, measured: by four channels, in nanoseconds of a layer."""

Array = np.ndarray[Any, Any]


def fits(call: Any, window: Window) -> bool:
    """Whether a layer of at least eight channels that vector kernels can compute can be computed so, too."""
    steps = (window.kernel_width, window.stride_width, window.dilation_height, window.dilation_width)
    return steps == (WIDTH, 1, 1, 1) and shape_of(call)[2] >= min(COSTS)


def depthwise(call: Any, window: Window) -> Kernel:
    """The kernel of a call that satisfies `fits`."""
    batches, height, width, channels = shape_of(call.args[0])
    _, y_height, y_width, _ = shape_of(call)
    pitch = PaddedImage(window, (height, width, channels), shape_of(call)).pitch
    starts, scaling = block_starts(channels, CHANNELS), layer_scaling(call, 3)
    weights, scales = packed(constant_value(call.args[1]), starts), scaling.packed(starts, CHANNELS)
    rows, stride = row_pairs(window.kernel_height), window.stride_height
    pairs = (y_height - 1) * stride // 2 + rows
    columns = min(
        (count for count in COSTS if count <= y_width), key=lambda count: -(-y_width // count) * COSTS[count]
    )
    border = (window.pad_top, window.pad_left * channels, pitch, -int(call.attrs["input_zero"]))

    def body(x: Any, w: Any, s: Any, y: Any) -> None:
        # Zeros after the last row are filled by whole vectors.
        paired = tir.workspace("int16", pairs * 2 * pitch + LANES)
        with tir.loop(batches) as n:
            image = (tir.address(x, n, 0, 0, 0), tir.address(paired, 0), pairs, height, width * channels)
            tir.evaluate(tir.call("int32", "rune_pair_rows", *image, *border))
            with tir.loops(len(starts), y_height, -(-y_width // columns)) as (block, oy, group):
                # The last block and the last pixels overlap those before them.
                channel = tir.minimum(block * CHANNELS, channels - CHANNELS)
                ox = tir.minimum(group * columns, y_width - columns)
                pair = tir.floor_divide(oy * stride, 2)
                taps = (block * 2 + oy * stride - pair * 2) * (len(weights) // len(starts) // 2)
                pointers = (
                    tir.address(paired, pair * (2 * pitch) + (ox * channels + channel) * 2),
                    tir.address(w, taps),
                    tir.address(s, block * (len(scales) // len(starts))),
                    tir.address(y, n, oy, ox, channel),
                )
                arguments = (*pointers, columns, rows, 2 * pitch, channels, *output_arguments(call, scaling))
                tir.evaluate(tir.call("int32", "rune_depthwise_columns", *arguments))

    return layer_kernel(call, weights, scales, shape_of(call.args[0]), shape_of(call), body)


def row_pairs(kernel_height: int) -> int:
    """That a window reaches, whichever row of a pair it begins at."""
    return kernel_height // 2 + 1


def packed(weights: Array, starts: list[int]) -> Array:
    """int8 [1, height, 3, channels] as int16 [block, row that the window begins at, pair of rows, column,
    channel of the block, 2]."""
    height, width, channels = weights.shape[1:]
    rows = np.zeros((2, 2 * row_pairs(height), width, channels), "int16")
    for first in (0, 1):
        rows[first, first : first + height] = weights[0]
    pairs = rows.reshape(2, -1, 2, width, channels).transpose(0, 1, 3, 4, 2)
    return np.ascontiguousarray(
        np.stack([pairs[..., start : start + CHANNELS, :] for start in starts])
    ).reshape(-1)
