"""Fully connected layers of a single row, around the C of `kernels/dense.h`: two products of bytes in one of
halfwords.

With one row every weight is read once, and to widen it costs as much as to multiply it.  So two of a channel,
`even` and `odd`, stay the halfword `h` = 256 odd + (even + 128) that they are in memory: the product of
inputs `p` and `q` by them is p h + (q - 256 p - 128) odd, but for 128 p, whose sum is the same for all
channels, and 128 odd, which are known when building.  Whatever bytes p and q are, q - 256 p - 128 is a
halfword.  Sums may wrap around on the way, and are right in the end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from builder import tir
from builder.families.simd import block_starts, layer_kernel, layer_scaling, output_arguments
from builder.operators.base import Kernel, constant_value, shape_of

CHANNELS = 16
"""Of a micro-kernel."""
INPUTS = 16
"""That are parted at a time."""

Array = np.ndarray[Any, Any]


def fits(call: Any) -> bool:
    """Whether a layer that vector kernels can compute can be computed so, too."""
    rows, channels = shape_of(call)
    return rows == 1 and channels >= CHANNELS


def fully_connected(call: Any) -> Kernel:
    """The kernel of a call that satisfies `fits`."""
    depth, channels = shape_of(call.args[0])[1], shape_of(call)[1]
    weights, scaling = constant_value(call.args[1]).reshape(channels, depth), layer_scaling(call, 0)
    bias, *constants = scaling.parameters
    bias = bias + added(weights, int(call.attrs["input_zero"]))
    scaling = replace(scaling, parameters=(bias.astype("int32"), *constants))
    starts = block_starts(channels, CHANNELS)
    packed_weights, scales = packed(weights, starts), scaling.packed(starts, CHANNELS)
    room = -(-depth // INPUTS) * INPUTS * 4

    def body(x: Any, w: Any, s: Any, y: Any) -> None:
        parted = tir.workspace("int16", room)
        pointers = [tir.address(tensor, 0) for tensor in (x, w, s, y, parted)]
        tir.evaluate(
            tir.call("int32", "rune_dense", *pointers, depth, channels, *output_arguments(call, scaling))
        )

    return layer_kernel(call, packed_weights, scales, (depth,), (channels,), body)


def added(weights: Array, input_zero: int) -> Array:
    """int64 [channels]: what the sums lack that are computed from weights [channels, inputs]."""
    wide = weights.astype(np.int64)
    lacking: Array = 128 * wide[:, 1::2].sum(axis=1) - input_zero * wide.sum(axis=1)
    return lacking


def packed(weights: Array, starts: list[int]) -> Array:
    """int8 [channels, inputs] as int8 [block, four inputs, channel of the block, 4], even ones plus 128;
    beyond the inputs are weights of zero."""
    channels, depth = weights.shape
    padded = np.zeros((channels, -(-depth // INPUTS) * INPUTS), "int8")
    padded[:, :depth] = weights
    padded[:, ::2] ^= -128
    blocks = np.stack([padded[start : start + CHANNELS] for start in starts])
    fours = blocks.reshape(len(starts), CHANNELS, -1, 4)
    return np.ascontiguousarray(fours.swapaxes(1, 2)).reshape(-1)
