"""dequantize -> whole float operator -> quantize, as the one integer operator that it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.families.window import Window
from builder.fixed_point import INT32_MAX, INT32_MIN, INTEGER_RANGE, activation_range
from builder.operators import by_name
from builder.operators.base import Unsupported, constant, constant_value, is_constant, shape_of
from builder.operators.mean import rescaled_mean
from builder.passes.quantization import Affine, affine, dequantized
from builder.passes.rewriting import Rewriter, is_call
from builder.passes.whole_operators import WEIGHTED_SUMS
from builder.quantized import Multipliers

SOFTMAX_RESULT = (1 / 256, -128)
"""Scale and zero point that an integer softmax has."""
ROUNDING = {"rounding": "once"}
"""As the float arithmetic that the graph describes rounds: at its end."""


def integer_operator(rewriter: Rewriter, call: Any) -> Any:
    """Tries each kind on a `quantize` to int8 of the whole tensor, and gives it the float operator's name."""
    target = affine(call) if is_call(call, "relax.quantize") else None
    if target is None or target.axis is not None or target.dtype != "int8":
        return None
    if not rewriter.exclusive(call.args[0]):
        return None
    kinds = {"relax.add": _add, "rune.softmax": _softmax, "rune.average_pool2d": _average_pool2d}
    kinds.update(dict.fromkeys(WEIGHTED_SUMS, _weighted_sum))
    found = rewriter.producer(call.args[0], *kinds)
    if found is None:
        return None
    try:
        expression = kinds[found.op.name](rewriter, found, target)
    except Unsupported:
        return None  # it stays in float
    return rewriter.emit(expression) if expression is not None else None


def _weighted_sum(rewriter: Rewriter, call: Any, target: Affine) -> Any:
    operator: Any = by_name()[call.op.name]
    source, weights = (_int8(rewriter, argument) for argument in call.args[:2])
    if source is None or weights is None or source[1].axis is not None or not is_constant(weights[0]):
        return None
    values, quantization = constant_value(weights[0]), weights[1]
    channels = values.shape[operator.channel_axis]
    if any(quantization.zeros) or quantization.axis not in (None, operator.channel_axis):
        return None
    scales = quantization.scales if quantization.axis is not None else quantization.scales * channels
    bias = _bias(rewriter, call.args[2], source[1].scale, scales)
    if bias is None:
        return None
    attributes = dict(call.attrs.items())
    attributes.update(_bounds(str(attributes.pop("activation")), target))
    attributes.update(input_zero=source[1].zero, output_zero=target.zero, **ROUNDING)
    multipliers = Multipliers.of_scales(source[1].scale, scales, target.scale)
    return operator.integer([source[0], constant(values), bias], multipliers, attributes, shape_of(call))


def _bias(rewriter: Rewriter, bias: Any, input_scale: float, weight_scales: tuple[float, ...]) -> Any:
    """The bias in steps of the accumulator, int32; None where it does not fit."""
    accumulator = np.array(weight_scales, "float64") * input_scale
    found = dequantized(rewriter, bias)
    if found is not None and is_constant(found[0]):
        quantization = found[1]
        reals = np.array(quantization.scales) * (
            constant_value(found[0]) - np.array(quantization.zeros, "float64")
        )
    elif is_constant(bias):
        reals = constant_value(bias).astype("float64")
    else:
        return None
    steps = np.rint(reals / accumulator)
    if not np.all(np.isfinite(steps)) or steps.min() < INT32_MIN or steps.max() > INT32_MAX:
        return None
    return constant(steps.astype("int32"))


def _add(rewriter: Rewriter, call: Any, target: Affine) -> Any:
    operands = [_int8(rewriter, argument) for argument in call.args]
    if any(operand is None or operand[1].axis is not None for operand in operands):
        return None
    (a, scale_a), (b, scale_b) = (operand for operand in operands if operand is not None)
    operator: Any = by_name()["rune.add"]
    attributes = operator.quantised(_pair(scale_a), _pair(scale_b), _pair(target), _bounds("NONE", target))
    return operator.call([a, b], {**attributes, **ROUNDING}, shape_of(call), "int8")


def _softmax(rewriter: Rewriter, call: Any, target: Affine) -> Any:
    source = _int8(rewriter, call.args[0])
    if source is None or source[1].axis is not None or _pair(target) != SOFTMAX_RESULT:
        return None
    operator: Any = by_name()["rune.softmax"]
    return operator.quantised(source[0], 1.0, source[1].scale)


def _average_pool2d(rewriter: Rewriter, call: Any, target: Affine) -> Any:
    """With equal quantisation on both sides an average; else what else there is that rescales."""
    source = _int8(rewriter, call.args[0])
    if source is None or source[1].axis is not None:
        return None
    attributes = dict(call.attrs.items())
    bounds = _bounds(str(attributes.pop("activation")), target)
    if _pair(source[1]) == _pair(target):
        attributes.update(bounds, input_zero=target.zero, **ROUNDING)
        return by_name()["rune.average_pool2d"].call([source[0]], attributes, shape_of(call), "int8")
    window = Window.from_attributes(attributes)
    if not _lies_inside(window, shape_of(call.args[0]), shape_of(call)):
        return None
    covers_image = shape_of(call.args[0])[1:3] == (window.kernel_height, window.kernel_width)
    if covers_image and (bounds["low"], bounds["high"]) == INTEGER_RANGE["int8"]:
        mean = rescaled_mean(_pair(source[1]), _pair(target), window.kernel_height * window.kernel_width)
        attributes = {"axes": [1, 2], **mean, **ROUNDING}
        return by_name()["rune.mean"].call([source[0]], attributes, shape_of(call), "int8")
    attributes.update(bounds, input_zero=source[1].zero, output_zero=target.zero, **ROUNDING)
    return _average_as_convolution(source, window, attributes, target, shape_of(call))


def _lies_inside(window: Window, image: Sequence[int], result: Sequence[int]) -> bool:
    """Whether no window reaches over the edge, so that all average over the same number of elements."""
    last_row = (result[1] - 1) * window.stride_height + window.kernel_height
    last_column = (result[2] - 1) * window.stride_width + window.kernel_width
    return not window.pad_top + window.pad_left and last_row <= image[1] and last_column <= image[2]


def _average_as_convolution(
    source: tuple[Any, Affine],
    window: Window,
    attributes: dict[str, Any],
    target: Affine,
    shape: tuple[int, ...],
) -> Any:
    """An average that changes the scale: each channel convolved with ones of the scale 1 / number of taps."""
    taps, channels = window.kernel_height * window.kernel_width, shape[-1]
    ones = constant(np.ones((1, window.kernel_height, window.kernel_width, channels), "int8"))
    multipliers = Multipliers.of_scales(source[1].scale, (1 / taps,) * channels, target.scale)
    operator: Any = by_name()["rune.depthwise_conv2d"]
    bias = constant(np.zeros(channels, "int32"))
    return operator.integer([source[0], ones, bias], multipliers, attributes, shape)


INTEGER_RULES = (integer_operator,)


def _int8(rewriter: Rewriter, value: Any) -> tuple[Any, Affine] | None:
    found = dequantized(rewriter, value)
    return found if found is not None and found[1].dtype == "int8" else None


def _pair(quantization: Affine) -> tuple[float, int]:
    return quantization.scale, quantization.zero


def _bounds(activation: str, target: Affine) -> dict[str, int]:
    low, high = activation_range(activation, target.scale, target.zero, "int8")
    return {"low": low, "high": high}
