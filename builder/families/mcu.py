"""Kernels of the `mcu` profile for sums of products of int8, around the C of `kernels/mcu.h`.

They multiply pairs of halfwords through the helpers of `kernels/dsp.h`: convolutions a block of pixels and
channels at a time, depthwise ones a channel at a time from a copy in which its pixels are neighbours; which
block is chosen in `builder/blocking/`.  Every bit is that of the plain kernels; what cannot be proved to fit
is left to them (`scaling`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from builder import tir
from builder.access_order import Accesses, Overlap, grouped, rounded_up, window_reads
from builder.blocking.shapes import GROUP, PLAIN_PIXELS, Blocking, Blockings, Convolution, Planes
from builder.families.linear_sums import linear_sum
from builder.families.simd_sums import ATTRIBUTES
from builder.families.window import SHARED_PAD, Window
from builder.fixed_point import multiply, multiply_once
from builder.levels import LEVEL
from builder.operators.base import Kernel, constant, constant_value, dtype_of, shape_of

LARGEST_TAP_WORDS = 32
"""Of a depthwise filter."""
LARGEST_PAIRED_SUM = 1 << 23
"""Sums below it survive being carried times 256 in 32 bits."""
LARGEST_SUM = 1 << 31
"""Sums below it can be scaled in 32 bits."""

RECIPROCALS, SHIFTS, ONCE = range(3)
"""What kernels take for divisors; `ONCE` are shifts of the product's upper word, which is rounded once."""

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scaling:
    """What brings the sums of each output channel to the output's scale, and the weights that go with it."""

    weights: Array
    """int64 [channels, taps]; zero where the result does not depend on them."""
    bias: Array
    """int64 [channels], without the share of the input's zero point."""
    multipliers: Array
    """int64 [channels]: doubled, but where results are rounded once."""
    divisors: Array
    """int64 [channels]: 2^32 over the divisor, or with another kind of `shifts` a logarithm."""
    zero: int
    low: int
    high: int
    rounds_away: bool
    """Whether it shows that negative values are rounded away from zero."""
    shifts: int
    """`RECIPROCALS`, `SHIFTS` where some divisor is below 4, or `ONCE`."""
    wide: bool
    """Whether sums are too large, or weights too small, for two channels in one halfword."""
    narrow: bool = False
    """Whether all sums are below `LARGEST_PAIRED_SUM`."""

    @property
    def range(self) -> tuple[int, ...]:
        """What `rune_mcu_range` holds."""
        return self.zero, self.low, self.high, int(self.rounds_away), int(self.shifts)


def scaling(call: Any, channel_axis: int) -> Scaling | None:
    """The scaling of a call of input, weights, bias, multiplier and shift; None where the kernels do not fit.

    It must be int8 with shifts to the right, and no sum may leave int32.
    """
    if dtype_of(call.args[0]) != "int8" or dtype_of(call) != "int8" or len(call.args) != 5:
        return None
    if int(call.attrs.get("weight_zero", 0)) != 0:
        return None
    weights, bias, multipliers, shifts = (
        constant_value(argument).astype(np.int64) for argument in call.args[1:]
    )
    weights = np.moveaxis(weights, channel_axis, 0).reshape(len(bias), -1)
    right, once = -shifts, call.attrs.get("rounding", "twice") == "once"
    if right.min() < (2 if once else 0):
        return None
    zero, low, high = (int(call.attrs[name]) for name in ("output_zero", "low", "high"))
    bias = bias - int(call.attrs["input_zero"]) * weights.sum(axis=1)
    largest = 128 * np.abs(weights).sum(axis=1) + np.abs(bias)
    half = np.where(right > 0, 1 << np.maximum(right - 1, 0), 0)
    # A multiplier is below 1, so small sums come to the zero point alone.
    fixed = (multipliers == 0) | (largest < half) | ~weights.any(axis=1)
    weights = np.where(fixed[:, None], 0, weights)
    results = _results(bias, multipliers, right, once).clip(low - zero, high - zero)
    # An eighth of it, exactly, is the result.
    bias = np.where(fixed, 8 * results, bias)
    multipliers, right = np.where(fixed, 1 << 30, multipliers), np.where(fixed, 2, right)
    live = ~fixed
    if largest[live].max(initial=0) >= LARGEST_SUM or (multipliers < 1 << 30).any():
        return None
    # A pair's halfword cannot hold -128 above a byte below zero.
    narrow = bool(largest[live].max(initial=0) < LARGEST_PAIRED_SUM)
    wide = not narrow or bool((_halves(weights) < -(1 << 15)).any())
    kind, divisors = _divisors(right, once)
    factors = multipliers if once else 2 * multipliers
    return Scaling(weights, bias, factors, divisors, zero, low, high, low < zero, kind, wide, narrow)


def _divisors(right: Array, once: bool) -> tuple[int, Array]:
    """The kind of divisors, and what the kernels take for them."""
    if once:
        return ONCE, right - 1
    return (SHIFTS, right) if right.min() < 2 else (RECIPROCALS, 1 << (32 - right))


def _results(sums: Array, multipliers: Array, right: Array, once: bool) -> Array:
    """Sums at the output's scale, without its zero point."""
    scale = multiply_once if once else multiply
    triples = zip(sums, multipliers, right, strict=True)
    return np.array(
        [scale(int(total), int(factor), -int(shift)) for total, factor, shift in triples], np.int64
    )


def convolution(call: Any, scaled: Scaling, window: Window, blockings: Blockings) -> Kernel:
    """A convolution without groups."""
    shapes = (shape_of(call.args[0]), shape_of(call))
    return _convolution(call, scaled, window, shapes, blockings.convolution(layer_of(scaled, shapes[1])))


def fully_connected(call: Any, scaled: Scaling, blockings: Blockings) -> Kernel:
    """A fully connected layer: a 1x1 convolution over a row of pixels."""
    rows, depth = shape_of(call.args[0])
    shapes = ((1, 1, rows, depth), (1, 1, rows, shape_of(call)[1]))
    blocking = blockings.convolution(layer_of(scaled, shapes[1]))
    if rows == 1 and depth % 4 == 0 and blocking.direct:
        return _row(call, scaled, blocking)
    return _convolution(call, scaled, Window(1, 1, 1, 1, 1, 1, 0, 0), shapes, blocking)


def layer_of(scaled: Scaling, y_shape: tuple[int, ...]) -> Convolution:
    """What blockings are chosen for."""
    return Convolution(y_shape[1] * y_shape[2], y_shape[3], scaled.weights.shape[1], scaled.wide)


def _row(call: Any, scaled: Scaling, blocking: Blocking) -> Kernel:
    """A fully connected layer of one row, read where it lies."""
    channels, depth = scaled.weights.shape
    block = (blocking.pairs, blocking.unrolled, depth // 2)

    def body(x: Any, stream: Any, y: Any) -> None:
        tensors = (tir.address(x, 0, 0), tir.address(stream, 0), tir.address(y, 0, 0))
        numbers = (int(scaled.wide), *scaled.range, int(scaled.narrow))
        arguments = (_level(), *tensors, channels, *block, *numbers)
        tir.evaluate(tir.call("int32", "rune_mcu_fully_connected", *arguments))

    stream = pack(scaled, blocking.pairs)
    buffers = [("x", (1, depth), "int8"), ("w", stream.shape, "int32"), ("y", (1, channels), "int8")]
    return Kernel(tir.kernel(buffers, body), [call.args[0], constant(stream)])


def _convolution(
    call: Any,
    scaled: Scaling,
    window: Window,
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    blocking: Blocking,
) -> Kernel:
    """A convolution of an input and an output of these shapes."""
    (batches, *image), y_shape = shapes
    layer = layer_of(scaled, y_shape)
    block = (blocking.pixels, blocking.pairs, blocking.unrolled, layer.words, int(blocking.direct))

    def body(x: Any, stream: Any, *rest: Any) -> None:
        *pad, y = rest
        place: dict[str, Any] = dict(window.attributes())
        if pad:
            place["pad_top"] = pad[0][0]
        geometry = (*image, *place.values(), int(call.attrs["input_zero"]), *y_shape[1:])
        columns = workspace(max(layer.column_bytes(blocking), layer.plain_bytes(blocking)) // 4)
        # A word more, for what rows of the window are copied beyond their end.
        staged = tir.address(workspace(layer.words // 2 + 1) if image[2] % 4 else columns, 0)
        with tir.loop(batches) as n:
            tensors = (tir.address(x, n, 0, 0, 0), tir.address(stream, 0), tir.address(y, n, 0, 0, 0))
            arguments = (_level(), *tensors, tir.address(columns, 0), staged, *geometry, *block)
            numbers = (int(scaled.wide), *scaled.range, int(scaled.narrow))
            tir.evaluate(tir.call("int32", "rune_mcu_convolution", *arguments, *numbers))

    stream = pack(scaled, blocking.pairs)
    buffers, arguments = _with_pad(call, [("x", shapes[0], "int8"), ("w", stream.shape, "int32")])
    kernel = tir.kernel([*buffers, ("y", y_shape, "int8")], body)
    overlaps = () if _shares_pad(call) else (_window_overlap(window, shapes, blocking),)
    return Kernel(kernel, [call.args[0], constant(stream), *arguments], overlaps=overlaps)


def _window_overlap(
    window: Window, shapes: tuple[tuple[int, ...], tuple[int, ...]], blocking: Blocking
) -> Overlap:
    """What holds on all levels of cores, which take different numbers of pixels at a time."""
    (batches, *image), y_shape = shapes
    reads, total = window_reads(window, image, *y_shape[1:3]), math.prod(y_shape[1:3])
    pixels = (blocking.pixels, 1 if blocking.direct else min(total, PLAIN_PIXELS))
    with_dsp, plain = (
        grouped(reads, y_shape[3], count).repeated(batches, math.prod(image), math.prod(y_shape[1:]))
        for count in pixels
    )
    read_bytes = math.prod(shapes[0])
    # Cores without DSP instructions read the windows of 1x1 convolutions where they lie.
    is_point = window.kernel_height * window.kernel_width == 1
    distance = plain.interleaved_distance() if is_point else plain.distance(read_bytes)
    return Overlap(0, 0, max(with_dsp.distance(read_bytes), distance))


def _shares_pad(call: Any) -> bool:
    """Whether the kernel is that of several calls, whose windows lie differently."""
    return SHARED_PAD in call.attrs.keys()  # noqa: SIM118


def _with_pad(call: Any, buffers: Sequence[tuple[str, Sequence[int], str]]) -> tuple[list[Any], list[Any]]:
    """The buffers and one for `pad_top`, and what is passed for it, where calls share their kernel."""
    if not _shares_pad(call):
        return list(buffers), []
    pad = np.array([int(call.attrs["pad_top"])], "int32")
    return [*buffers, ("pad", pad.shape, "int32")], [constant(pad)]


def taps_along_columns(call: Any, weights: Array, window: Window) -> tuple[Sides, Array, int, int] | None:
    """The sides of a depthwise convolution, turned so that the longer one of its filters runs along columns.

    With them its taps [channels, rows, columns], the words of a row of them, and the halfwords from one row
    of a copied channel to the next.  None where the kernels do not fit.
    """
    sides = Sides.of(call, window, shape_of(call.args[0])[1:])
    taps = weights.reshape(shape_of(call)[3], window.kernel_height, window.kernel_width)
    if window.kernel_height > window.kernel_width:
        sides, taps = sides.swapped(), taps.transpose(0, 2, 1)
    if sides.columns.dilation != 1 or sides.columns.stride > 2:
        return None
    words = -(-(sides.columns.kernel + (sides.columns.stride == 1)) // 2)
    if sides.rows.kernel * words > LARGEST_TAP_WORDS:
        return None
    pitch = round_up((sides.columns.result - 1) * sides.columns.stride + 2 * words, 2)
    return sides, taps, words, pitch


def depthwise(call: Any, scaled: Scaling, window: Window, blockings: Blockings) -> Kernel | None:
    """A depthwise convolution; None where the kernel does not fit."""
    batches, *image = shape_of(call.args[0])
    channels = shape_of(call)[3]
    rows_of_taps = taps_along_columns(call, scaled.weights, window)
    if rows_of_taps is None:
        return None
    sides, taps, words, pitch = rows_of_taps
    # Channels are gathered by words where each is one plane and they are whole words.
    has_groups = image[2] % GROUP == 0 and channels == image[2]
    rows = sides.rows
    layer = Planes(rows.result, rows.extent, rows.stride, pitch, has_groups)
    strips = blockings.depthwise(layer)
    blocks = (
        pitch,
        channels,
        channels // image[2],
        strips.group,
        strips.rows,
        words,
    )

    def body(x: Any, stream: Any, *rest: Any) -> None:
        *pad, y = rest
        geometry = sides.arguments(int(call.attrs["input_zero"]), *(shared[0] for shared in pad))
        planes = workspace(layer.plane_bytes(strips) // 4)
        with tir.loop(batches) as n:
            tensors = (tir.address(x, n, 0, 0, 0), tir.address(stream, 0), tir.address(y, n, 0, 0, 0))
            numbers = (*blocks, *scaled.range, int(scaled.narrow))
            arguments = (_level(), *tensors, tir.address(planes, 0), *geometry, *numbers)
            tir.evaluate(tir.call("int32", "rune_mcu_depthwise", *arguments))

    header = np.stack([scaled.bias, scaled.multipliers, scaled.divisors], axis=1)
    stream = pack_taps(header, taps, words)
    buffers, arguments = _with_pad(
        call, [("x", shape_of(call.args[0]), "int8"), ("w", stream.shape, "int32")]
    )
    kernel = tir.kernel([*buffers, ("y", shape_of(call), "int8")], body)
    stays = channels == image[2] and not _shares_pad(call)
    overlaps = (_depthwise_overlap(call, sides, strips.rows),) if stays else ()
    return Kernel(kernel, [call.args[0], constant(stream), *arguments], overlaps=overlaps)


def _depthwise_overlap(call: Any, sides: Sides, strip: int) -> Overlap:
    """Of a strip, each channel is read before its results are written, a few neighbours at a time.

    So while channels stay where they are, what counts is what later strips read.
    """
    batches, *image = shape_of(call.args[0])
    rows, columns, channels = sides.rows, sides.columns, image[2]
    starts = np.minimum(np.arange(0, rows.result, strip), rows.result - strip)
    reads = np.clip(starts * rows.stride - rows.pad, 0, rows.size) * rows.x_step
    ends = (starts + strip - 1) * rows.y_step + (columns.result - 1) * columns.y_step + channels
    order = Accesses(reads, ends).repeated(batches, math.prod(image), math.prod(shape_of(call)[1:]))
    return Overlap(0, 0, rounded_up(order.distance(math.prod(shape_of(call.args[0]))), channels), channels)


def add(call: Any, sign: int) -> Kernel | None:
    """The sum of two int8 tensors of one shape, or with a `sign` of -1 their difference.

    None where the kernel does not fit.
    """
    shapes = {shape_of(argument) for argument in (*call.args, call)}
    dtypes = {dtype_of(argument) for argument in (*call.args, call)}
    if dtypes != {"int8"} or len(shapes) != 1 or call.attrs.get("rounding", "twice") != "twice":
        return None
    attributes = {name: int(call.attrs[name]) for name in ATTRIBUTES}
    form = linear_sum(attributes, sign)
    if form is None:
        return None
    count = math.prod(shape_of(call))
    constants = (form.a, form.b, form.constant, form.shift, attributes["low"], attributes["high"])

    def body(a: Any, b: Any, y: Any) -> None:
        tensors = (tir.address(tensor, 0) for tensor in (a, b, y))
        tir.evaluate(tir.call("int32", "rune_mcu_add", *tensors, count, *constants))

    buffers = [(name, (count,), "int8") for name in "aby"]
    return Kernel(tir.kernel(buffers, body), call.args, overlaps=(Overlap(0, 0, 0), Overlap(1, 0, 0)))


@dataclass(frozen=True)
class _Side:
    """One dimension of an image under a window; steps are distances in memory."""

    size: int
    result: int
    kernel: int
    stride: int
    dilation: int
    pad: int
    x_step: int
    y_step: int

    @property
    def extent(self) -> int:
        """How far the taps of a result reach."""
        return (self.kernel - 1) * self.dilation + 1


@dataclass(frozen=True)
class Sides:
    """Both dimensions; a kernel reads along the columns."""

    rows: _Side
    columns: _Side

    @classmethod
    def of(cls, call: Any, window: Window, image: Sequence[int]) -> Sides:
        (height, width, depth), (_, y_height, y_width, channels) = image, shape_of(call)
        rows = (height, y_height, window.kernel_height, window.stride_height, window.dilation_height)
        columns = (width, y_width, window.kernel_width, window.stride_width, window.dilation_width)
        return cls(
            _Side(*rows, window.pad_top, width * depth, y_width * channels),
            _Side(*columns, window.pad_left, depth, channels),
        )

    def swapped(self) -> Sides:
        return Sides(self.columns, self.rows)

    def arguments(self, zero: int, pad: Any = None) -> tuple[Any, ...]:
        """What `rune_mcu_plane` holds, but for the pitch; with another padding of the rows if it is given."""
        rows, columns = self.rows, self.columns
        shape = (rows.size, columns.size, rows.x_step, columns.x_step)
        window = (
            rows.kernel,
            columns.kernel,
            rows.stride,
            columns.stride,
            rows.dilation,
            rows.pad if pad is None else pad,
            columns.pad,
        )
        return (*shape, *window, zero, rows.result, columns.result, rows.y_step, columns.y_step)


def pack_taps(header: Array, taps: Array, words: int) -> Array:
    """int32: of each channel its header, and the taps of each row as pairs of halfwords, `words` to a row."""
    channels, rows, columns = taps.shape
    padded = np.zeros((channels, rows, 2 * words), np.int64)
    padded[..., :columns] = taps
    pairs = (padded[..., 0::2] & 0xFFFF) | (padded[..., 1::2] << 16)
    return words_of(np.concatenate([header, pairs.reshape(channels, -1)], axis=1))


def words_of(values: Array) -> Array:
    """Numbers modulo 2^32, as int32."""
    return values.reshape(-1).astype(np.uint64).astype("uint32").view("int32")


def pack(scaled: Scaling, pairs: int) -> Array:
    """int32: of each block of `pairs` pairs of channels bias and scale, then their weights in turn.

    A word has the weights (0, 2) or (1, 3) of four taps, each halfword first + 256 * second channel; or, with
    wide scaling, the bytes of both.
    """
    channels, taps = scaled.weights.shape
    blocks = -(-channels // (2 * pairs))
    weights = np.zeros((blocks * 2 * pairs, round_up(taps, 4)), np.int64)
    weights[:channels, :taps] = scaled.weights
    header = np.zeros((blocks * 2 * pairs, 3), np.int64)
    header[:channels] = np.stack([scaled.bias, scaled.multipliers, scaled.divisors], axis=1)
    if scaled.wide:
        halves = (weights[0::2] & 0xFF) | (weights[1::2] << 8)
    else:
        halves = _halves(weights)
        # The sum of both channels starts with both biases.
        header[1::2, 0] = 256 * header[1::2, 0] + header[0::2, 0]
    halves = halves.reshape(blocks, pairs, -1, 2, 2)
    words = (halves[..., 0, :] & 0xFFFF) | (halves[..., 1, :] << 16)
    words = words.reshape(blocks, pairs, -1).transpose(0, 2, 1).reshape(blocks, -1)
    stream = np.concatenate([header.reshape(blocks, -1), words], axis=1)
    return words_of(stream)


def _halves(weights: Array) -> Array:
    """The weights of two channels each as first + 256 * second; an odd one is the first of a pair."""
    halves = weights[0::2].copy()
    halves[: len(weights) // 2] += 256 * weights[1::2]
    return halves


def _level() -> Any:
    """What the core has that the function is for; see `builder.levels`."""
    return tir.call("int32", LEVEL)


def workspace(count: int) -> Any:
    """Words of temporary memory.  TVM takes one or two for variables, of which it sees no use."""
    return tir.workspace("uint32", max(count, 3))


def round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
