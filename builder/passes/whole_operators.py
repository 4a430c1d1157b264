"""Float operators of TVM into whole operators: channels last, with bias, scale and activation inside.

Each has one kernel, which needs no padded copy of its input; and the integer rules then find one call where
the imported graph has several.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from tvm import relax

from builder.families.window import Window
from builder.fixed_point import ACTIVATION_BOUNDS
from builder.operators import by_name
from builder.operators.base import constant, constant_value, dtype_of, is_constant, shape_of
from builder.operators.quantize import float32_bits
from builder.passes.movement import is_fixed, permute, reshape
from builder.passes.quantization import bounds_of
from builder.passes.rewriting import Rewriter, is_call

TO_CHANNELS_LAST = (0, 2, 3, 1)
TO_CHANNELS_FIRST = (0, 3, 1, 2)
OIHW_TO_OHWI = (0, 2, 3, 1)
OIHW_TO_1HWO = (1, 2, 3, 0)
WEIGHTED_SUMS = ("rune.conv2d", "rune.depthwise_conv2d", "rune.fully_connected")
POOLINGS = ("rune.max_pool2d", "rune.average_pool2d")


def convolution_of_rows(rewriter: Rewriter, call: Any) -> Any:
    """A one-dimensional convolution is a two-dimensional one over images of height one."""
    if (
        not is_call(call, "relax.nn.conv1d")
        or call.attrs.data_layout != "NCW"
        or call.attrs.kernel_layout != "OIW"
    ):
        return None
    attributes = call.attrs
    pads = _pads(attributes.padding, 1)
    x, w = (reshape(rewriter, a, (*shape_of(a)[:2], 1, shape_of(a)[2])) for a in call.args)
    y = relax.op.nn.conv2d(
        x,
        w,
        strides=(1, int(attributes.strides[0])),
        padding=(0, pads[0], 0, pads[1]),
        dilation=(1, int(attributes.dilation[0])),
        groups=int(attributes.groups),
    )
    return reshape(rewriter, rewriter.emit(y), shape_of(call))


def whole_convolution(rewriter: Rewriter, call: Any) -> Any:
    if not is_call(call, "relax.nn.conv2d") or dtype_of(call) != "float32" or not _is_channels_first(call):
        return None
    batch, channels, height, width = shape_of(call)
    weights = call.args[1]
    window = _window(call, shape_of(weights)[2:])
    depth, groups = shape_of(call.args[0])[1], int(call.attrs.groups)
    is_depthwise = groups == depth and groups > 1
    x = permute(rewriter, call.args[0], TO_CHANNELS_LAST)
    w = permute(rewriter, weights, OIHW_TO_1HWO if is_depthwise else OIHW_TO_OHWI)
    bias = constant(np.zeros(channels, "float32"))
    operator = by_name()["rune.depthwise_conv2d" if is_depthwise else "rune.conv2d"]
    attributes = {**window.attributes(), "activation": "NONE"}
    y = rewriter.emit(operator.call([x, w, bias], attributes, (batch, height, width, channels), "float32"))
    return permute(rewriter, y, TO_CHANNELS_FIRST)


def whole_pooling(rewriter: Rewriter, call: Any) -> Any:
    """Not with dilation, nor where an average counts the padding, which our poolings have no word for."""
    kinds = {"relax.nn.max_pool2d": "rune.max_pool2d", "relax.nn.avg_pool2d": "rune.average_pool2d"}
    if not is_call(call, *kinds) or call.attrs.layout != "NCHW":
        return None
    if dtype_of(call) != "float32" and (dtype_of(call) != "int8" or call.op.name != "relax.nn.max_pool2d"):
        return None
    window = _window(call, [int(size) for size in call.attrs.pool_size])
    if (window.dilation_height, window.dilation_width) != (1, 1):
        return None
    if call.attrs.count_include_pad and (call.attrs.ceil_mode or any(_pads(call.attrs.padding, 2))):
        return None
    return _pooled(rewriter, kinds[call.op.name], call.args[0], shape_of(call), window)


def mean_as_pooling(rewriter: Rewriter, call: Any) -> Any:
    """The mean over all rows and columns of an image is its average pooling with one window."""
    if not is_call(call, "relax.mean") or dtype_of(call) != "float32" or call.attrs.axis is None:
        return None
    shape = shape_of(call.args[0])
    if len(shape) != 4 or sorted(int(axis) % 4 for axis in call.attrs.axis) != [2, 3]:
        return None
    whole = Window(*shape[2:], *shape[2:], 1, 1, 0, 0)
    pooled = _pooled(rewriter, "rune.average_pool2d", call.args[0], (*shape[:2], 1, 1), whole)
    return reshape(rewriter, pooled, shape_of(call))


def whole_fully_connected(rewriter: Rewriter, call: Any) -> Any:
    """matmul by a constant matrix [depth, units]."""
    if not is_call(call, "relax.matmul") or dtype_of(call) != "float32":
        return None
    x, weights = call.args
    if len(shape_of(weights)) != 2 or not is_fixed(rewriter, weights) or min(shape_of(weights)) < 1:
        return None
    depth, units = shape_of(weights)
    rows = math.prod(shape_of(x)) // depth
    w = permute(rewriter, weights, (1, 0))
    flat = reshape(rewriter, x, (rows, depth))
    bias = constant(np.zeros(units, "float32"))
    operator = by_name()["rune.fully_connected"]
    y = rewriter.emit(operator.call([flat, w, bias], {"activation": "NONE"}, (rows, units), "float32"))
    return reshape(rewriter, y, shape_of(call))


def whole_softmax(rewriter: Rewriter, call: Any) -> Any:
    if not is_call(call, "relax.nn.softmax") or dtype_of(call) != "float32":
        return None
    shape = shape_of(call)
    if not shape or int(call.attrs.axis) % len(shape) != len(shape) - 1 or math.prod(shape) == 0:
        return None
    beta: dict[str, int | str] = {"beta": float32_bits(1.0)}
    return rewriter.emit(by_name()["rune.softmax"].call([call.args[0]], beta, shape, "float32"))


def batch_normalization(rewriter: Rewriter, expression: Any) -> Any:
    """With constant statistics it is a scale and an offset per channel."""
    if not isinstance(expression, relax.TupleGetItem) or expression.index != 0:
        return None
    call = rewriter.producer(expression.tuple_value, "relax.nn.batch_norm")
    if call is None or call.attrs.training or not all(is_constant(a) for a in call.args[1:]):
        return None
    gamma, beta, mean, variance = (constant_value(a).astype("float64") for a in call.args[1:])
    scale = gamma / np.sqrt(variance + float(call.attrs.epsilon))
    axis = int(call.attrs.axis)
    shape = [size if i == axis else 1 for i, size in enumerate(shape_of(call.args[0]))]
    scale_constant, offset = (
        constant(values.astype(dtype_of(call.args[0])).reshape(shape))
        for values in (scale, beta - mean * scale)
    )
    scaled = rewriter.emit(relax.op.multiply(call.args[0], scale_constant))
    return rewriter.emit(relax.op.add(scaled, offset))


def rows_after_arithmetic(rewriter: Rewriter, call: Any) -> Any:
    """A constant per channel meets the rows that a fully connected layer computes, before a reshape."""
    if not is_call(call, "relax.add", "relax.multiply"):
        return None
    for value, other in (call.args, reversed(call.args)):
        shaped = rewriter.producer(value, "relax.reshape")
        rows = rewriter.producer(shaped.args[0], "rune.fully_connected") if shaped is not None else None
        per_channel = math.prod(shape_of(other)) == (shape_of(other) or (0,))[-1]
        if rows is None or not per_channel or not is_fixed(rewriter, other):
            continue
        if shape_of(call) == shape_of(shaped) and shape_of(rows)[-1] == shape_of(shaped)[-1]:
            flat = reshape(rewriter, other, shape_of(other)[-1:])
            make = relax.op.add if call.op.name == "relax.add" else relax.op.multiply
            return reshape(rewriter, rewriter.emit(make(shaped.args[0], flat)), shape_of(call))
    return None


def add_is_bias(rewriter: Rewriter, call: Any) -> Any:
    """A constant per channel that is added to a weighted sum is its bias."""
    found = _sum_and_constant(rewriter, call, "relax.add")
    if found is None:
        return None
    source, other = found
    channels = shape_of(source)[-1]
    bias = constant_value(source.args[2])
    if is_constant(other):
        values = np.broadcast_to(constant_value(other).reshape(-1), channels)
        total = constant((bias + values).astype("float32"))
    elif not bias.any() and math.prod(shape_of(other)) == channels:
        total = reshape(rewriter, other, (channels,))
    else:
        return None
    return _with(rewriter, source, arguments=[*source.args[:2], total])


def multiply_is_scale(rewriter: Rewriter, call: Any) -> Any:
    """A constant per channel that a weighted sum is multiplied by goes into its weights and bias."""
    found = _sum_and_constant(rewriter, call, "relax.multiply")
    if found is None or not all(is_constant(a) for a in (*found[0].args[1:], found[1])):
        return None
    source, other = found
    weights, bias = (constant_value(a).astype("float64") for a in source.args[1:])
    scale = np.broadcast_to(constant_value(other).astype("float64").reshape(-1), bias.shape)
    operator: Any = by_name()[source.op.name]
    along = [-1 if axis == operator.channel_axis else 1 for axis in range(weights.ndim)]
    scaled = (
        constant((values).astype("float32")) for values in (weights * scale.reshape(along), bias * scale)
    )
    return _with(rewriter, source, arguments=[source.args[0], *scaled])


def activation_inside(rewriter: Rewriter, call: Any) -> Any:
    bounds = bounds_of(call)
    found = rewriter.producer(call.args[0], *WEIGHTED_SUMS, *POOLINGS) if bounds is not None else None
    if found is None or found.attrs.get("activation") != "NONE" or not rewriter.exclusive(call.args[0]):
        return None
    name = next((name for name, known in ACTIVATION_BOUNDS.items() if known == bounds), None)
    return _with(rewriter, found, activation=name) if name is not None else None


WHOLE_OPERATOR_RULES = (
    convolution_of_rows,
    whole_convolution,
    whole_pooling,
    mean_as_pooling,
    whole_fully_connected,
    whole_softmax,
    batch_normalization,
    rows_after_arithmetic,
    add_is_bias,
    multiply_is_scale,
    activation_inside,
)


def _is_channels_first(call: Any) -> bool:
    attributes = call.attrs
    return (attributes.data_layout, attributes.kernel_layout, attributes.out_layout) == (
        "NCHW",
        "OIHW",
        "NCHW",
    )


def _window(call: Any, kernel: Sequence[int]) -> Window:
    attributes = call.attrs
    strides, dilations = (
        [int(size) for size in sizes] for sizes in (attributes.strides, attributes.dilation)
    )
    return Window(*kernel, *strides, *dilations, *_pads(attributes.padding, 2)[:2])


def _pads(padding: Sequence[Any], dimensions: int) -> list[int]:
    """Padding before each dimension, then after each."""
    pads = [int(size) for size in padding]
    if len(pads) == 1:
        return pads * (2 * dimensions)
    return pads * 2 if len(pads) == dimensions else pads


def _pooled(rewriter: Rewriter, name: str, image: Any, shape: Sequence[int], window: Window) -> Any:
    """The pooling of a channels-first image into one of `shape`."""
    batch, channels, height, width = shape
    x = permute(rewriter, image, TO_CHANNELS_LAST)
    dtype = dtype_of(image)
    bounds: dict[str, int | str] = (
        {"activation": "NONE"} if dtype == "float32" else {"low": -128, "high": 127}
    )
    attributes = {**window.attributes(), **bounds}
    y = rewriter.emit(by_name()[name].call([x], attributes, (batch, height, width, channels), dtype))
    return permute(rewriter, y, TO_CHANNELS_FIRST)


def _sum_and_constant(rewriter: Rewriter, call: Any, operator: str) -> tuple[Any, Any] | None:
    """The weighted sum without activation, and the constant per channel, that a binary operator joins."""
    if not is_call(call, operator):
        return None
    for value, other in (call.args, reversed(call.args)):
        found = rewriter.producer(value, *WEIGHTED_SUMS)
        if found is None or found.attrs.get("activation") != "NONE" or not is_constant(found.args[2]):
            continue
        shape = shape_of(other)
        per_channel = math.prod(shape) == 1 or (
            shape and math.prod(shape) == shape[-1] == shape_of(found)[-1]
        )
        if (
            per_channel
            and len(shape) <= len(shape_of(found))
            and is_fixed(rewriter, other)
            and rewriter.exclusive(value)
        ):
            return found, other
    return None


def _with(
    rewriter: Rewriter, call: Any, *, arguments: Sequence[Any] | None = None, activation: str | None = None
) -> Any:
    """The call with other arguments or another activation."""
    attributes = dict(call.attrs.items())
    if activation is not None:
        attributes["activation"] = activation
    operator = by_name()[call.op.name]
    return rewriter.emit(
        operator.call(list(arguments or call.args), attributes, shape_of(call), dtype_of(call))
    )
