"""Convolutions, fully connected layers and poolings as calls of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import relax

from builder.families.weighted_sum import WeightedSum
from builder.families.window import Window
from builder.operators.average_pool2d import AveragePool2D
from builder.operators.base import constant, dtype_of
from builder.operators.conv2d import Conv2D
from builder.operators.depthwise_conv2d import DepthwiseConv2D
from builder.operators.fully_connected import FullyConnected
from builder.operators.max_pool2d import MaxPool2D
from builder.operators.transpose_conv import TransposeConv
from builder.quantized import Multipliers
from tests.builder.kernels.calls import Bind
from tests.builder.kernels.vectors import Array, Case, unpacked_int4

WEIGHTS = ("weights_data", "weights", "input_weights")
BIAS = ("biases_data", "biases", "bias", "input_bias")


@dataclass(frozen=True)
class Layer:
    """One operator of one input."""

    shape: tuple[int, ...]
    """Of the input."""
    express: Callable[[Bind, Any], Any]


def convolution(case: Case) -> Layer:
    channels, filters = case.integer("IN_CH"), case.integer("OUT_CH")
    depth = case.integer("FILTER_CH") if case.has("FILTER_CH") else channels
    window = _window(case)
    shape = (filters, window.kernel_height, window.kernel_width, depth)
    return _weighted(
        case, Conv2D(), _image(case, channels), shape, _output(case, filters), window.attributes()
    )


def depthwise_convolution(case: Case) -> Layer:
    window, channels = _window(case), case.integer("OUT_CH")
    shape = (1, window.kernel_height, window.kernel_width, channels)
    image = _image(case, case.integer("IN_CH"))
    return _weighted(case, DepthwiseConv2D(), image, shape, _output(case, channels), window.attributes())


def fully_connected(case: Case) -> Layer:
    units, rows = case.integer("OUT_CH"), case.integer("INPUT_BATCHES")
    depth = case.integer("IN_CH") * case.integer("INPUT_W") * case.integer("INPUT_H")
    zero = {"weight_zero": -case.integer("FILTER_OFFSET")} if case.has("FILTER_OFFSET") else {}
    return _weighted(case, FullyConnected(), (rows, depth), (units, depth), (rows, units), dict(zero))


def transposed_convolution(case: Case) -> Layer:
    window, depth, filters = _window(case), case.integer("IN_CH"), case.integer("OUT_CH")
    shape = (filters, window.kernel_height, window.kernel_width, depth)
    image, result = _image(case, depth), _output(case, filters)
    return _weighted(case, TransposeConv(), image, shape, result, window.attributes())


def average_pooling(case: Case) -> Layer:
    return _pooling(case, AveragePool2D())


def max_pooling(case: Case) -> Layer:
    return _pooling(case, MaxPool2D())


def _weighted(
    case: Case,
    operator: WeightedSum,
    image: tuple[int, ...],
    weights_shape: tuple[int, ...],
    shape: tuple[int, ...],
    attributes: dict[str, int | str],
) -> Layer:
    weights, bias = constant(_weights(case, weights_shape)), constant(_bias(case, shape[-1]))

    def express(bind: Bind, x: Any) -> Any:
        arguments = [x, weights, bias]
        if case.is_float:
            call = operator.call(arguments, {**attributes, "activation": "NONE"}, shape, "float32")
            return clipped(case, bind(call), "OUT_ACTIVATION")
        multipliers = _multipliers(case, shape[-1])
        return operator.integer(arguments, multipliers, {**attributes, **_offsets(case)}, shape)

    return Layer(image, express)


def _pooling(case: Case, operator: AveragePool2D | MaxPool2D) -> Layer:
    channels, batches = case.integer("INPUT_C", "IN_CH"), case.integer("BATCH_SIZE", "INPUT_BATCHES")
    shape = (batches, case.integer("OUTPUT_H"), case.integer("OUTPUT_W"), channels)
    attributes = _window(case).attributes()

    def express(bind: Bind, x: Any) -> Any:
        if case.is_float:
            call = operator.call([x], {**attributes, "activation": "NONE"}, shape, "float32")
            return clipped(case, bind(call), "ACTIVATION")
        low = case.integer("ACTIVATION_MIN", "OUT_ACTIVATION_MIN")
        high = case.integer("ACTIVATION_MAX", "OUT_ACTIVATION_MAX")
        return operator.call([x], {**attributes, "low": low, "high": high}, shape, dtype_of(x))

    return Layer((batches, case.integer("INPUT_H"), case.integer("INPUT_W"), channels), express)


def clipped(case: Case, value: Any, bounds: str) -> Any:
    """A float value within the case's bounds, which no fused activation of a file could state."""
    return relax.op.clip(value, case.number(f"{bounds}_MIN"), case.number(f"{bounds}_MAX"))


def _window(case: Case) -> Window:
    def pair(stem: str, default: int | None = None) -> tuple[int, int]:
        names = ((f"{stem}_H", f"{stem}_Y"), (f"{stem}_W", f"{stem}_X"))
        if default is not None and not any(case.has(name) for name in names[0]):
            return default, default
        return case.integer(*names[0]), case.integer(*names[1])

    padding = pair("PADDING") if case.has("PADDING_H") else pair("PAD")
    return Window(*pair("FILTER"), *pair("STRIDE"), *pair("DILATION", 1), *padding)


def _image(case: Case, channels: int) -> tuple[int, ...]:
    return case.integer("INPUT_BATCHES"), case.integer("INPUT_H"), case.integer("INPUT_W"), channels


def _output(case: Case, channels: int) -> tuple[int, ...]:
    return case.integer("INPUT_BATCHES"), case.integer("OUTPUT_H"), case.integer("OUTPUT_W"), channels


def _weights(case: Case, shape: tuple[int, ...]) -> Array:
    weights, count = case.array(*WEIGHTS), int(np.prod(shape))
    return (weights if weights.size == count else unpacked_int4(weights, count)).reshape(shape)


def _bias(case: Case, channels: int) -> Array:
    absent = case.flag("USE_NULL_BIAS") or (case.has("HAS_BIAS") and not case.flag("HAS_BIAS"))
    if absent or not any(case.has(name) for name in BIAS):
        return np.zeros(channels, "float32" if case.is_float else "int32")
    return case.array(*BIAS)


def _multipliers(case: Case, channels: int) -> Multipliers:
    if case.has("OUTPUT_MULTIPLIER"):
        pair = case.integer("OUTPUT_MULTIPLIER"), case.integer("OUTPUT_SHIFT")
        return Multipliers((pair[0],) * channels, (pair[1],) * channels)
    multiplier, shift = case.array("output_mult", "output_multiplier"), case.array("output_shift")
    return Multipliers(tuple(map(int, multiplier)), tuple(map(int, shift)))


def _offsets(case: Case) -> dict[str, int | str]:
    return {
        "input_zero": -case.integer("INPUT_OFFSET"),
        "output_zero": case.integer("OUTPUT_OFFSET"),
        "low": case.integer("OUT_ACTIVATION_MIN"),
        "high": case.integer("OUT_ACTIVATION_MAX"),
    }
