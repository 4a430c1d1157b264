"""Convolutions of sixteen filters at a time, around the C of `kernels/spread.h`: two pixels, two inputs of
each in a step.

Each pair of inputs is spread over a vector, and meets those weights of four filters: so the sums of filters
lie side by side in the end, and need not be added up across vectors.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from builder import tir
from builder.families.simd import LANES, PaddedImage, layer_kernel, layer_scaling, output_arguments
from builder.families.window import Window
from builder.operators.base import Kernel, constant_value, shape_of

FILTERS = 16
"""Of a micro-kernel."""
PIXELS = 2

Array = np.ndarray[Any, Any]


def fits(call: Any) -> bool:
    """Whether a convolution that vector kernels can compute can be computed so, too."""
    filters, pixels = shape_of(call)[3], shape_of(call)[2]
    return filters % FILTERS == 0 and pixels >= PIXELS


def is_pointwise(call: Any, window: Window) -> bool:
    """Whether `pointwise` can compute a convolution."""
    is_point = (window.kernel_height, window.kernel_width, window.pad_top, window.pad_left) == (1, 1, 0, 0)
    is_whole = shape_of(call.args[0])[3] % LANES == 0 and shape_of(call)[3] % FILTERS == 0
    return is_point and is_whole and _rows(call, window)[1] >= PIXELS


def pointwise(call: Any, window: Window) -> Kernel:
    """The kernel of a call that satisfies `is_pointwise`: it reads bytes, and needs no border."""
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

    scales = scaling.packed(range(0, channels, FILTERS), FILTERS)
    weights = packed(constant_value(call.args[1]).reshape(channels, depth))
    x_size, y_size = math.prod(shape_of(call.args[0])), math.prod(shape_of(call))
    return layer_kernel(call, weights, scales, (x_size,), (y_size,), body)


def convolution(call: Any, window: Window) -> Kernel:
    """The kernel of a call that satisfies `fits`, not dilated along rows: each window is spread."""
    batches, height, width, depth = shape_of(call.args[0])
    _, y_height, y_width, filters = shape_of(call)
    image = PaddedImage(window, (height, width, depth), shape_of(call))
    scaling, row = layer_scaling(call, 0), window.kernel_width * depth
    weights = packed(constant_value(call.args[1]).reshape(filters, -1))
    taps = len(weights) // filters

    def body(x: Any, w: Any, s: Any, y: Any) -> None:
        padded = tir.workspace("int16", image.count)
        # A window is gathered, and spread, by whole vectors.
        spread = tir.workspace("int16", PIXELS * taps * 4 + LANES * 4)
        gathered = tir.workspace("int16", taps + LANES)
        with tir.loop(batches) as n:
            image.fill(tir.address(x, n, 0, 0, 0), padded, call)
            with tir.loop(y_height) as oy:
                tensors = (tir.address(padded, image.offset(oy, 0)), tir.address(w, 0), tir.address(s, 0))
                result = tir.address(y, n, oy, 0, 0)
                places = (*tensors, result, tir.address(spread, 0), tir.address(gathered, 0))
                rows = (window.kernel_height, window.dilation_height * image.pitch, row)
                sizes = (y_width, window.stride_width * depth, *rows, taps, filters)
                arguments = (*places, *sizes, *output_arguments(call, scaling))
                tir.evaluate(tir.call("int32", "rune_windows", *arguments))

    scales = scaling.packed(range(0, filters, FILTERS), FILTERS)
    return layer_kernel(call, weights, scales, shape_of(call.args[0]), shape_of(call), body)


def _rows(call: Any, window: Window) -> tuple[tuple[int, int], int]:
    """Batches and rows of pixels that are equally far apart, and the pixels of a row."""
    batches, height, width, _ = shape_of(call)
    if (window.stride_height, window.stride_width) == (1, 1):
        return (1, 1), batches * height * width
    return (batches, height), width


def packed(weights: Array) -> Array:
    """int8 [filters, taps] as int16 [block of filters, pair of taps, filter of the block, 2]; an odd last tap
    is paired with a zero."""
    filters, taps = weights.shape
    padded = np.pad(weights.astype("int16"), ((0, 0), (0, taps % 2)))
    pairs = padded.reshape(filters // FILTERS, FILTERS, -1, 2)
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(-1)
