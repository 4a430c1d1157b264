"""3x3 convolutions of stride 1 with 2.25 times fewer products, in exact integers.

Two by two output pixels are Y = A' [(G g G') * (B' d B)] A of a filter g and the four by four input pixels
d, where * multiplies element by element, and the products are added up over the channels (Winograd's minimal
filtering F(2x2, 3x3); Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, section
4.1).  G has halves in it: with 2 G instead all is in integers, and the sums are four times what they should
be, without a remainder.  What is transformed fits halfwords: inputs are four terms of 255, filters nine of
128.  That sums fit words is proved for each layer (`fits`).
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

FILTERS = 16
"""Of a micro-kernel."""
SCALED = 4
"""Filters of a row of constants."""
SMALLEST = 3
"""Pixels of a row, so that it has two tiles."""
LARGEST_INPUT = 4 * 255
TWICE_G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])
A = np.array([[1, 0], [1, 1], [1, -1], [0, -1]])

Array = np.ndarray[Any, Any]


def fits(call: Any, window: Window) -> bool:
    """Whether a convolution that vector kernels can compute can be computed so, too."""
    filters, height, width, channels = shape_of(call.args[1])
    if window != Window(3, 3, 1, 1, 1, 1, window.pad_top, window.pad_left) or (height, width) != (3, 3):
        return False
    if channels % LANES or filters % FILTERS or min(shape_of(call)[1:3]) < SMALLEST:
        return False
    return bool(largest_sum(constant_value(call.args[1])) < 1 << 31)


def largest_sum(weights: Array) -> int:
    """How far from zero any sum of products, and of those, can be, for filters [filters, 3, 3, channels]."""
    products = np.abs(transformed(weights)).sum(axis=3) * LARGEST_INPUT
    sums = np.einsum("pi,fpq,qj->fij", np.abs(A), products, np.abs(A))
    return int(sums.max())


def transformed(weights: Array) -> Array:
    """Filters [filters, 3, 3, channels], transformed, times four: int64 [filters, 4, 4, channels]."""
    result: Array = np.einsum("pi,fijc,qj->fpqc", TWICE_G, weights.astype(np.int64), TWICE_G)
    return result


def packed(weights: Array) -> Array:
    """int16 [position, block of filters, pair of channels, filter of the block, 2], transformed."""
    filters, _, _, channels = weights.shape
    positions = transformed(weights).astype("int16").transpose(1, 2, 0, 3)
    pairs = positions.reshape(16, filters // FILTERS, FILTERS, channels // 2, 2)
    return np.ascontiguousarray(pairs.swapaxes(2, 3)).reshape(-1)


def convolution(call: Any, window: Window) -> Kernel:
    """The kernel of a call that satisfies `fits`."""
    batches, height, width, channels = shape_of(call.args[0])
    _, y_height, y_width, filters = shape_of(call)
    image = PaddedImage(window, (height, width, channels), shape_of(call))
    scaling, tiles = layer_scaling(call, 0), -(-y_width // 2)

    def body(x: Any, u: Any, s: Any, y: Any) -> None:
        padded = tir.workspace("int16", image.count)
        inputs = tir.workspace("int16", tiles * 16 * channels * 4)
        sums = tir.workspace("int32", tiles * 16 * filters)
        v, m = tir.address(inputs, 0), tir.address(sums, 0)
        with tir.loop(batches) as n:
            image.fill(tir.address(x, n, 0, 0, 0), padded, call)
            with tir.loop(-(-y_height // 2)) as row:
                # The last row of tiles overlaps the one before it where pixels are odd.
                oy = tir.minimum(row * 2, y_height - 2)
                top = tir.address(padded, image.offset(oy, 0))
                tir.evaluate(tir.call("int32", "rune_winograd_input", top, v, y_width, channels, image.pitch))
                product = (v, tir.address(u, 0), m, tiles, channels, filters)
                tir.evaluate(tir.call("int32", "rune_winograd_product", *product))
                output = (m, tir.address(s, 0), tir.address(y, n, oy, 0, 0), y_width, filters)
                arguments = (*output, *output_arguments(call, scaling))
                tir.evaluate(tir.call("int32", "rune_winograd_output", *arguments))

    scales = scaling.packed(block_starts(filters, SCALED), SCALED)
    weights = packed(constant_value(call.args[1]))
    return layer_kernel(call, weights, scales, shape_of(call.args[0]), shape_of(call), body)
