"""1x1 convolutions of stride 1: two pixels by sixteen channels at a time, two inputs of each in a step.

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

Array = np.ndarray[Any, Any]


def fits(call: Any, window: Window) -> bool:
    """Whether a convolution that vector kernels can compute can be computed so, too."""
    if window != Window(1, 1, 1, 1, window.dilation_height, window.dilation_width, 0, 0):
        return False
    *image, channels = shape_of(call)
    return shape_of(call.args[0])[3] % LANES == 0 and channels % CHANNELS == 0 and math.prod(image) >= 2


def convolution(call: Any) -> Kernel:
    """The kernel of a call that satisfies `fits`."""
    *image, channels = shape_of(call)
    pixels, depth = math.prod(image), shape_of(call.args[0])[3]
    scaling = layer_scaling(call, 0)

    def body(x: Any, w: Any, s: Any, y: Any) -> None:
        spread = tir.workspace("int16", 2 * depth * 4)
        pointers = [tir.address(buffer, 0) for buffer in (x, w, s, y, spread)]
        sizes = (pixels, depth, channels, -int(call.attrs["input_zero"]))
        arguments = (*pointers, *sizes, *output_arguments(call, scaling))
        tir.evaluate(tir.call("int32", "rune_pointwise", *arguments))

    scales = scaling.packed(range(0, channels, CHANNELS), CHANNELS)
    weights = packed(constant_value(call.args[1]).reshape(channels, depth))
    return layer_kernel(call, weights, scales, (pixels * depth,), (pixels * channels,), body)


def packed(weights: Array) -> Array:
    """int8 [channels, depth] as int16 [block of channels, pair of inputs, channel of the block, 2]."""
    channels, depth = weights.shape
    pairs = weights.astype("int16").reshape(channels // CHANNELS, CHANNELS, depth // 2, 2)
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(-1)
