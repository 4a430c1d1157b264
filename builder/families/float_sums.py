"""Kernels for sums of products of float32, in both profiles, around the C of `kernels/float_sums.h`.

Each sum is taken in the order of its taps, as in TensorFlow Lite Micro; several pixels and channels are
computed side by side, so that they share what is loaded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from builder import tir
from builder.families.window import Window
from builder.fixed_point import ACTIVATION_BOUNDS
from builder.operators.base import Kernel, constant, constant_value, dtype_of, is_constant, shape_of

PIXELS = 4
"""Output pixels of a micro-kernel."""
LANES = 4
"""Output channels of a micro-kernel."""
COLUMN_BYTES = 8192
"""Of the copies of windows that a convolution reads, unless a single one is longer."""
LARGEST_COLUMN_BYTES = 32768
"""Longer windows are left to the plain kernel."""
POINT = Window(1, 1, 1, 1, 1, 1, 0, 0)

Array = np.ndarray[Any, Any]


def fits(call: Any) -> bool:
    """Whether a call of input, weights and bias computes with float32 alone, with weights that 0 silences."""
    if any(dtype_of(value) != "float32" for value in (*call.args, call)):
        return False
    return all(map(is_constant, call.args[1:])) and bool(np.isfinite(constant_value(call.args[1])).all())


def convolution(call: Any, window: Window, channel_axis: int = 0) -> Kernel | None:
    """A convolution without groups; None where the kernel does not fit."""
    return _convolution(call, window, channel_axis, shape_of(call.args[0]), shape_of(call))


def fully_connected(call: Any) -> Kernel | None:
    """A fully connected layer: a 1x1 convolution over a row of pixels."""
    rows, depth = shape_of(call.args[0])
    return _convolution(call, POINT, 0, (1, 1, rows, depth), (1, 1, rows, shape_of(call)[1]))


def _convolution(
    call: Any, window: Window, channel_axis: int, x_shape: tuple[int, ...], y_shape: tuple[int, ...]
) -> Kernel | None:
    batches, *image = x_shape
    channels, direct = y_shape[3], window == POINT
    weights = np.moveaxis(constant_value(call.args[1]), channel_axis, 0).reshape(channels, -1)
    column = 4 * weights.shape[1]
    if not direct and column > LARGEST_COLUMN_BYTES:
        return None
    room = PIXELS if direct else max(COLUMN_BYTES // column, 1)
    pixels = min(y_shape[1] * y_shape[2], PIXELS, room)
    lanes = LANES if channels > 1 else 1
    geometry = (*image, *window.attributes().values(), *y_shape[1:])
    numbers = (*geometry, pixels, lanes, int(direct), activation_number(call))

    def body(x: Any, stream: Any, y: Any) -> None:
        columns = tir.workspace("float32", 3 if direct else max(pixels * column // 4, 3))
        with tir.loop(batches) as n:
            tensors = (tir.address(x, n, 0, 0, 0), tir.address(stream, 0), tir.address(y, n, 0, 0, 0))
            arguments = (*tensors, tir.address(columns, 0), *numbers)
            tir.evaluate(tir.call("int32", "rune_float_convolution", *arguments))

    stream = pack(weights, constant_value(call.args[2]), lanes)
    buffers = [("x", x_shape, "float32"), ("w", stream.shape, "float32"), ("y", y_shape, "float32")]
    return Kernel(tir.kernel(buffers, body), [call.args[0], constant(stream)])


def pack(weights: Array, bias: Array, lanes: int) -> Array:
    """float32: of each `lanes` channels their biases, then tap by tap their weights."""
    channels, taps = weights.shape
    blocks = -(-channels // lanes)
    stream = np.zeros((blocks * lanes, 1 + taps), "float32")
    stream[:channels, 0], stream[:channels, 1:] = bias, weights
    return stream.reshape(blocks, lanes, -1).transpose(0, 2, 1).reshape(-1)


def depthwise(call: Any, window: Window) -> Kernel | None:
    """A depthwise convolution; None where the kernel does not fit."""
    batches, *image = x_shape = shape_of(call.args[0])
    y_shape = shape_of(call)
    if image[2] == 1:
        return convolution(call, window, channel_axis=3)
    if y_shape[3] != image[2]:
        return None
    lanes = LANES if image[2] % LANES == 0 else 1
    numbers = (*image, *window.attributes().values(), *y_shape[1:3], lanes, activation_number(call))

    def body(x: Any, weights: Any, bias: Any, y: Any) -> None:
        with tir.loop(batches) as n:
            constants = (tir.address(weights, 0, 0, 0, 0), tir.address(bias, 0))
            tensors = (tir.address(x, n, 0, 0, 0), *constants, tir.address(y, n, 0, 0, 0))
            tir.evaluate(tir.call("int32", "rune_float_depthwise", *tensors, *numbers))

    shapes = (x_shape, shape_of(call.args[1]), shape_of(call.args[2]), y_shape)
    buffers = [(name, shape, "float32") for name, shape in zip("xwby", shapes, strict=True)]
    return Kernel(tir.kernel(buffers, body), call.args)


def activation_number(call: Any) -> int:
    """What the kernels call the fused activation."""
    return list(ACTIVATION_BOUNDS).index(str(call.attrs["activation"]))


class Rows:
    """Weights that rows of float32 are multiplied by, four channels at a time; as `mcu_rows.Rows`."""

    def __init__(self, weights: Array, bias: Array) -> None:
        """Of weights [channels, depth] and biases."""
        self.depth = weights.shape[1]
        self.stream = pack(weights, bias, LANES)

    def column(self) -> Any:
        """None: rows are read where they lie."""
        return None

    def spread(self, row: Any, column: Any) -> Any:
        """What `sums` takes."""
        return row

    def sums(self, row: Any, stream: Any, block: Any, sums: Any) -> None:
        """The sums of a block's channels, to float32 at the address `sums`."""
        place = tir.address(stream, block * LANES * (1 + self.depth))
        numbers = (1, self.depth, LANES, LANES, 0)
        tir.evaluate(tir.call("int32", "rune_float_block", row, 0, place, sums, *numbers))
