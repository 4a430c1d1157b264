"""3x3 convolutions of stride 1 with four times fewer products, in exact integers.

Four by four output pixels are Y = A' [(G g G') * (B' d B)] A of a filter g and the six by six input pixels d,
where * multiplies element by element, and the products are added up over the channels (Winograd's minimal
filtering F(4x4, 3x3); Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, section
4.3).  G has fractions in it: with 24 G instead all is in integers, and the sums are 576 times what they
should be.  One of the 24 in its last row is left to A as 2, so that filters fit halfwords whatever they are:
18,432 at most; and inputs are at most 100 times 255.  Sums of products may wrap around, since all that is
done with them is right modulo 2^32: their ninth part, by the inverse of 9, is 64 times the sum, which is read
off where that is no more than 32 bits.  This is proved for each layer (`fits`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from builder import tir
from builder.families.simd import (
    LANES,
    PaddedImage,
    block_starts,
    largest_sums,
    layer_kernel,
    layer_scaling,
    output_arguments,
)
from builder.families.simd_spread import FILTERS
from builder.families.window import Window
from builder.operators.base import Kernel, constant_value, shape_of

SCALED = 4
"""Filters of a row of constants."""
TILE = 4
"""Output pixels along each side."""
REACH = 6
"""Input pixels along each side."""
POSITIONS = REACH * REACH
TOGETHER = 4
"""Tiles of a pass over the filters, an even number: more do not stay in the first cache."""
LARGEST_SUM = 1 << 25
"""64 times of it is the end of int32."""
SCALED_G = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 12]])
"""24 G, the last row but half of it."""

Array = np.ndarray[Any, Any]


def fits(call: Any, window: Window) -> bool:
    """Whether a convolution that vector kernels can compute can be computed so, too."""
    filters, height, width, channels = shape_of(call.args[1])
    if window != Window(3, 3, 1, 1, 1, 1, window.pad_top, window.pad_left) or (height, width) != (3, 3):
        return False
    if channels % LANES or filters % FILTERS or min(shape_of(call)[1:3]) < TILE or _tiles(call) < 2:
        return False
    return bool(largest_sums(call, 0).max() < LARGEST_SUM)


def transformed(weights: Array) -> Array:
    """Filters [filters, 3, 3, channels], transformed, scaled: int64 [filters, 6, 6, channels]."""
    result: Array = np.einsum("pi,fijc,qj->fpqc", SCALED_G, weights.astype(np.int64), SCALED_G)
    return result


def packed(weights: Array) -> Array:
    """int16 [position, block of filters, pair of channels, filter of the block, 2], transformed."""
    filters, _, _, channels = weights.shape
    positions = transformed(weights).astype("int16").transpose(1, 2, 0, 3)
    pairs = positions.reshape(POSITIONS, filters // FILTERS, FILTERS, channels // 2, 2)
    return np.ascontiguousarray(pairs.swapaxes(2, 3)).reshape(-1)


def convolution(call: Any, window: Window) -> Kernel:
    """The kernel of a call that satisfies `fits`."""
    batches, height, width, channels = shape_of(call.args[0])
    _, y_height, y_width, filters = shape_of(call)
    image = PaddedImage(window, (height, width, channels), shape_of(call))
    scaling, together = layer_scaling(call, 0), min(TOGETHER, _tiles(call) // 2 * 2)
    sizes = (together, y_height, y_width, channels, filters, image.pitch)

    def body(x: Any, u: Any, s: Any, y: Any) -> None:
        padded = tir.workspace("int16", image.count)
        inputs = tir.workspace("int16", together * POSITIONS * channels)
        sums = tir.workspace("int32", together * POSITIONS * filters)
        spread = tir.workspace("int16", 2 * channels * 4)
        workspaces = [tir.address(room, 0) for room in (inputs, sums, spread)]
        with tir.loop(batches) as n:
            image.fill(tir.address(x, n, 0, 0, 0), padded, call)
            tensors = (
                tir.address(padded, 0),
                tir.address(u, 0),
                tir.address(s, 0),
                tir.address(y, n, 0, 0, 0),
            )
            arguments = (*tensors, *workspaces, *sizes, *output_arguments(call, scaling))
            tir.evaluate(tir.call("int32", "rune_winograd", *arguments))

    scales = scaling.packed(block_starts(filters, SCALED), SCALED)
    weights = packed(constant_value(call.args[1]))
    return layer_kernel(call, weights, scales, shape_of(call.args[0]), shape_of(call), body)


def _tiles(call: Any) -> int:
    _, height, width, _ = shape_of(call)
    return -(-height // TILE) * -(-width // TILE)
