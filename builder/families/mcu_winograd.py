"""3x3 convolutions of stride 1 in the `mcu` profile with 2.25 times fewer products, in exact integers.

Two by two output pixels are Y = A' [(G g G') * (B' d B)] A of a filter g and the four by four input pixels
d, where * multiplies element by element, and the products are added up over the channels (Winograd's minimal
filtering F(2x2, 3x3); Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, section
4.1).  G has halves in it: with 2 G instead all is in integers, and the sums are four times what they should
be, without a remainder.  What is transformed fits halfwords: inputs are four terms of 128, filters nine of
128.  Sums of products may wrap around, since all that is done with them is right modulo 2^32: four times a
sum is read off where it is no more than 32 bits, which is proved for each layer (`is_exact`).

Filters take 3.6 times the memory, so this is for code that shall be fast; and it is chosen where it is
estimated to be so (`pays`).  Larger tiles save more products, but their filters take 8 times the memory.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from builder import tir
from builder.blocking import cost
from builder.blocking.shapes import Blockings
from builder.families import mcu
from builder.families.mcu import Scaling, words_of, workspace
from builder.families.window import Window
from builder.operators.base import Kernel, constant, shape_of

TILE = 2
"""Output pixels along each side."""
POSITIONS = 16
"""Of a tile, four by four, in the transformed domain."""
TILES = 2
"""Of a micro-kernel."""
FILTERS = 4
"""Of a micro-kernel."""
LARGEST_DEPTH = 128
"""Input channels; the transformed pixels of more take more than 12 KB."""
LARGEST_SUM = 1 << 29
"""4 times it is the end of int32."""
TWICE_G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])

_WITHOUT_LOOP: Final = 32
"""Pairs of channels whose products have no loop."""
_LARGEST_ROUND: Final = 16
"""Of those that have; there never are two, for which a board could not prove its accesses."""
_POSITION: Final = 13
"""Instructions of a position beside its products; of these and the others, as counted."""
_POSITION_WORD: Final = 11
"""Eight products of pairs of channels, and their operands."""
_ROUND: Final = 40
"""Instructions of a round, which begins and ends with what does not stay in registers."""
_OUTPUT: Final = 180
"""Instructions of two tiles of a channel."""
_BLOCK: Final = 25
"""Instructions around a block of filters."""
_TILE_WORDS: Final = 235
"""Instructions to transform four channels of a tile."""
_TILE: Final = 40
_BORDER_PIXEL: Final = 25
"""Instructions to copy a pixel where a border is near, and `_BORDER_WORD` for each of its words."""
_BORDER_WORD: Final = 4
_WORTH: Final = 0.9
"""Of the instructions of other kernels: estimates are not exact."""

Array = np.ndarray[Any, Any]


def is_best(call: Any, scaled: Scaling, window: Window, blockings: Blockings) -> bool:
    """Whether a convolution without groups, of this scaling, can be computed so and is worth it."""
    return fits(call, scaled, window) and pays(call, scaled, blockings)


def fits(call: Any, scaled: Scaling, window: Window) -> bool:
    """Whether a convolution without groups, of this scaling, can be computed so."""
    (_, _, _, depth), (_, height, width, channels) = shape_of(call.args[0]), shape_of(call)
    if window != Window(3, 3, 1, 1, 1, 1, window.pad_top, window.pad_left):
        return False
    if depth % 4 or depth > LARGEST_DEPTH or min(height, width) < TILE or _tiles(height, width) < TILES:
        return False
    return scaled.weights.shape == (channels, 9 * depth) and is_exact(scaled.weights)


def is_exact(weights: Array) -> bool:
    """Whether four times any sum of int8 by these weights, [filters, taps], is an int32."""
    return bool(128 * np.abs(weights).sum(axis=1).max() < LARGEST_SUM)


def pays(call: Any, scaled: Scaling, blockings: Blockings) -> bool:
    """Whether this is estimated to take fewer instructions than the kernel that `blockings` chooses."""
    layer = mcu.layer_of(scaled, shape_of(call))
    other = cost.instructions(layer, blockings.convolution(layer))
    return instructions(shape_of(call), shape_of(call.args[0])[3]) < _WORTH * other


def instructions(y_shape: tuple[int, ...], depth: int) -> float:
    """Of an inference with one image."""
    _, height, width, channels = y_shape
    tiles, words = _tiles(height, width), depth // 2
    rounds = words // _unrolled(words)
    products = POSITIONS * (_POSITION + _POSITION_WORD * words + (_ROUND * rounds if rounds > 1 else 0))
    blocks = -(-tiles // TILES) * -(-channels // FILTERS)
    # Those that reach beyond the image: with padding, all around.
    borders = tiles - max(0, (height - 1) // 2 - 1) * max(0, (width - 1) // 2 - 1)
    border = POSITIONS * (_BORDER_PIXEL + _BORDER_WORD * depth // 4)
    transforms = tiles * (_TILE + _TILE_WORDS * depth // 4) + borders * border
    return blocks * (products + FILTERS * _OUTPUT + _BLOCK) + transforms


def _unrolled(words: int) -> int:
    """Words of a round."""
    if words <= _WITHOUT_LOOP:
        return words
    return max(count for count in range(2, _LARGEST_ROUND + 1, 2) if words % count == 0)


def _tiles(height: int, width: int) -> int:
    return -(-height // TILE) * -(-width // TILE)


def convolution(call: Any, scaled: Scaling, window: Window) -> Kernel:
    """The kernel of a call that satisfies `fits`."""
    x_shape, y_shape = shape_of(call.args[0]), shape_of(call)
    batches, height, width, depth = x_shape
    zero = int(call.attrs["input_zero"])
    geometry = (
        height,
        width,
        depth,
        window.pad_top,
        window.pad_left,
        zero,
        *y_shape[1:],
        _unrolled(depth // 2),
    )

    def body(x: Any, stream: Any, y: Any) -> None:
        tiles = workspace(POSITIONS * (depth // 2 + FILTERS) * TILES)
        pixels = workspace(POSITIONS * depth // 4)
        with tir.loop(batches) as n:
            tensors = (tir.address(x, n, 0, 0, 0), tir.address(stream, 0), tir.address(y, n, 0, 0, 0))
            memory = (tir.address(tiles, 0), tir.address(pixels, 0))
            tir.evaluate(tir.call("int32", "rune_mcu_winograd", *tensors, *memory, *geometry, *scaled.range))

    stream = pack(scaled, depth)
    buffers = [("x", x_shape, "int8"), ("w", stream.shape, "int32"), ("y", y_shape, "int8")]
    return Kernel(tir.kernel(buffers, body), [call.args[0], constant(stream)])


def transformed(weights: Array) -> Array:
    """Filters [filters, 3, 3, channels], transformed, times four: int64 [filters, 4, 4, channels]."""
    result: Array = np.einsum("pi,fijc,qj->fpqc", TWICE_G, weights.astype(np.int64), TWICE_G)
    return result


def pack(scaled: Scaling, depth: int) -> Array:
    """int32: of each block of filters biases and scales, then their words, in turn, position by position.

    Two words have the channels (0, 2) and (1, 3) of four as halfwords.
    """
    channels = len(scaled.weights)
    blocks = -(-channels // FILTERS)
    filters = np.zeros((blocks * FILTERS, POSITIONS, depth // 4, 2, 2), np.int64)
    filters[:channels] = transformed(scaled.weights.reshape(channels, 3, 3, depth)).reshape(
        channels, *filters.shape[1:]
    )
    header = np.zeros((blocks * FILTERS, 3), np.int64)
    header[:channels] = np.stack([scaled.bias, scaled.multipliers, scaled.divisors], axis=1)
    words = (filters[..., 0, :] & 0xFFFF) | (filters[..., 1, :] << 16)
    words = words.reshape(blocks, FILTERS, -1).transpose(0, 2, 1)
    return words_of(np.concatenate([header.reshape(blocks, -1), words.reshape(blocks, -1)], axis=1))
