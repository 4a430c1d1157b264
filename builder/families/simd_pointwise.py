"""1x1 convolutions: two pixels by sixteen channels at a time, two inputs of each in a step.

Each pair of inputs is spread over a vector, and meets those weights of four channels: so the sums of channels
lie side by side in the end, and need not be added up across vectors.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from builder import tir
from builder.families.simd import LANES, layer_kernel, layer_scaling, output_arguments
from builder.families.window import Window
from builder.operators.base import Kernel, constant_value, shape_of

CHANNELS = 16
"""Of a micro-kernel."""
PIXELS = 2

Array = np.ndarray[Any, Any]


def fits(call: Any, window: Window) -> bool:
    """Whether a convolution that vector kernels can compute can be computed so, too."""
    is_point = (window.kernel_height, window.kernel_width, window.pad_top, window.pad_left) == (1, 1, 0, 0)
    is_whole = shape_of(call.args[0])[3] % LANES == 0 and shape_of(call)[3] % CHANNELS == 0
    return is_point and is_whole and _rows(call, window)[1] >= PIXELS


def convolution(call: Any, window: Window) -> Kernel:
    """The kernel of a call that satisfies `fits`."""
    _, height, width, depth = shape_of(call.args[0])
    channels = shape_of(call)[3]
    (batches, rows), pixels = _rows(call, window)
    scaling = layer_scaling(call, 0)

    def body(x: Any, w: Any, s: Any, y: Any) -> None:
        spread = tir.workspace("int16", PIXELS * depth * 4)
        with tir.loops(batches, rows) as (n, row):
            start = n * (height * width * depth) + row * (window.stride_height * width * depth)
            result = (n * rows + row) * (pixels * channels)
            pointers = (tir.address(x, start), tir.address(w, 0), tir.address(s, 0), tir.address(y, result))
            sizes = (pixels, window.stride_width * depth, depth, channels, -int(call.attrs["input_zero"]))
            arguments = (*pointers, tir.address(spread, 0), *sizes, *output_arguments(call, scaling))
            tir.evaluate(tir.call("int32", "rune_pointwise", *arguments))

    scales = scaling.packed(range(0, channels, CHANNELS), CHANNELS)
    weights = packed(constant_value(call.args[1]).reshape(channels, depth))
    x_size, y_size = math.prod(shape_of(call.args[0])), math.prod(shape_of(call))
    return layer_kernel(call, weights, scales, (x_size,), (y_size,), body)


def _rows(call: Any, window: Window) -> tuple[tuple[int, int], int]:
    """Batches and rows of pixels that are equally far apart, and the pixels of a row."""
    batches, height, width, _ = shape_of(call)
    if (window.stride_height, window.stride_width) == (1, 1):
        return (1, 1), batches * height * width
    return (batches, height), width


def packed(weights: Array) -> Array:
    """int8 [channels, depth] as int16 [block of channels, pair of inputs, channel of the block, 2]."""
    channels, depth = weights.shape
    pairs = weights.astype("int16").reshape(channels // CHANNELS, CHANNELS, depth // 2, 2)
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(-1)
