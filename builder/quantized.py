"""What quantised operators share: reading their parameters and writing their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite

from builder import tir
from builder.fixed_point import activation_range, multiply, multiply_once, quantize_multiplier
from builder.operators.base import Node, Unsupported, constant, per_channel, per_tensor

ACTIVATIONS = {
    tflite.ActivationFunctionType.NONE: "NONE",
    tflite.ActivationFunctionType.RELU: "RELU",
    tflite.ActivationFunctionType.RELU6: "RELU6",
    tflite.ActivationFunctionType.RELU_N1_TO_1: "RELU_N1_TO_1",
}


def fused_activation(options: Any) -> str:
    """Name of the activation that an operator has fused.  Raises Unsupported."""
    number = options.FusedActivationFunction()
    if number not in ACTIVATIONS:
        raise Unsupported(f"fused activation {number}; supported: {', '.join(ACTIVATIONS.values())}")
    return ACTIVATIONS[number]


@dataclass(frozen=True)
class Multipliers:
    """Per output channel: the real multiplier of the accumulator, as fixed-point pairs."""

    multiplier: tuple[int, ...]
    shift: tuple[int, ...]

    @classmethod
    def of(cls, reals: Sequence[float]) -> Multipliers:
        pairs = [quantize_multiplier(real) for real in reals]
        return cls(tuple(m for m, _ in pairs), tuple(s for _, s in pairs))

    @classmethod
    def of_scales(cls, source: float, weights: Sequence[float], target: float) -> Multipliers:
        """scale_in * scale_weight / scale_out, in float64.

        A product in float32 would differ in the last bit of a few multipliers, and so of a few outputs.
        """
        return cls.of([source * scale / target for scale in weights])

    def constants(self) -> list[Any]:
        return [constant(np.array(self.multiplier, "int32")), constant(np.array(self.shift, "int32"))]


def accumulator_multipliers(node: Node, channels: int, *, symmetric: bool = True) -> Multipliers:
    """Multipliers of an operator with input 0 and weights 1; asymmetric weights have one scale in all."""
    input_scale, _ = per_tensor(node.input(0))
    output_scale, _ = per_tensor(node.output())
    weights = node.input(1)
    scales = per_channel(weights, channels) if symmetric else (per_tensor(weights)[0],) * channels
    return Multipliers.of_scales(input_scale, scales, output_scale)


def output_attributes(node: Node, activation: str) -> dict[str, int | str]:
    """Zero points, and bounds of the result after the fused activation."""
    _, input_zero = per_tensor(node.input(0))
    scale, output_zero = per_tensor(node.output())
    low, high = activation_range(activation, scale, output_zero, node.output().dtype)
    return {"input_zero": input_zero, "output_zero": output_zero, "low": low, "high": high}


def bias_constant(node: Node, position: int, channels: int, dtypes: Sequence[str]) -> Any:
    """The bias in one of `dtypes`, or zeros in the first of them where the operator has none."""
    if not node.has_input(position):
        return constant(np.zeros(channels, dtypes[0]))
    bias = node.constant(position).reshape(-1)
    if bias.dtype.name not in dtypes or bias.size != channels:
        expected = " or ".join(f"{dtype}[{channels}]" for dtype in dtypes)
        raise Unsupported(
            f"bias {node.input(position).name!r} is {bias.dtype}[{bias.size}]; expected {expected}"
        )
    return constant(bias)


def requantize(attributes: Mapping[str, Any], *arguments: Any) -> Any:
    """The call, as TIR, on accumulator, multiplier, shift, zero point, low and high.

    `rounding` is `twice`, as in TensorFlow Lite Micro, unless the attributes say `once`, as in ONNX.
    """
    once = attributes.get("rounding", "twice") == "once"
    return tir.call("int32", "rune_requantize_once" if once else "rune_requantize", *arguments)


def requantized_value(
    attributes: Mapping[str, Any], total: int, multiplier: int, shift: int, zero: int, low: int, high: int
) -> int:
    """What `requantize` computes, of a number that stays within 32 bits when shifted left."""
    once = attributes.get("rounding", "twice") == "once"
    scaled = (multiply_once if once else multiply)(total, multiplier, shift)
    return max(low, min(high, scaled + zero))


def requantized(
    accumulator: Any, multiplier: Any, shift: Any, attributes: Mapping[str, Any], dtype: str = "int8"
) -> Any:
    """The output element of an int32 or int64 accumulator, as TIR."""
    bounds = (int(attributes[name]) for name in ("output_zero", "low", "high"))
    if str(accumulator.ty.dtype) == "int64":
        value = tir.call("int32", "rune_requantize_wide", accumulator, multiplier, shift, *bounds)
    else:
        value = requantize(attributes, accumulator, multiplier, shift, *bounds)
    return tir.cast(dtype, value)
