"""Sums of products with weights: what convolutions and fully connected layers share.

Reading them, and the loop over output elements around each sum.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from builder import tir
from builder.fixed_point import ACTIVATION_BOUNDS
from builder.operators.base import (
    Kernel,
    Node,
    Operator,
    constant,
    dtype_of,
    per_channel,
    per_tensor,
    shape_of,
)
from builder.operators.dynamic_quantize import DynamicQuantize, DynamicRange
from builder.quantized import (
    Multipliers,
    accumulator_multipliers,
    bias_constant,
    fused_activation,
    output_attributes,
    requantized,
)
from builder.target import Target

COMBINATIONS = (
    ("int8", "int8", "int8"),
    ("int16", "int8", "int16"),
    ("uint8", "uint8", "uint8"),
    ("float32", "float32", "float32"),
    ("float32", "int8", "float32"),
)
"""Dtypes of input, weights and result that a weighted sum takes."""

_DOTS = {
    ("int8", "int32"): "rune_dot_i8",
    ("int16", "int32"): "rune_dot_i16",
    ("int16", "int64"): "rune_dot_i16_wide",
    ("uint8", "int32"): "rune_dot_u8",
}
"""The C function for each integer dtype of the input and the accumulator."""


class Arithmetic(ABC):
    """The sums of one output element in one dtype, as TIR; made inside of the loops over the output."""

    accumulator: str
    """Dtype that sums are kept in."""
    start: Any
    """What a sum begins with."""

    @abstractmethod
    def dot(self, x: Any, w: Any, count: Any) -> Any:
        """The inner product of `count` elements from two addresses."""

    @abstractmethod
    def product(self, x: Any, w: Any) -> Any:
        """The product of two elements."""

    @abstractmethod
    def finish(self, total: Any) -> Any:
        """The output element of a sum."""


class FloatArithmetic(Arithmetic):
    """float32 throughout."""

    accumulator = "float32"

    def __init__(self, call: Any, bias: Any, position: Sequence[Any]) -> None:
        self._bounds = ACTIVATION_BOUNDS[str(call.attrs["activation"])]
        self.start = bias[position[-1]]

    def dot(self, x: Any, w: Any, count: Any) -> Any:
        return tir.call("float32", "rune_dot_f32", x, w, count)

    def product(self, x: Any, w: Any) -> Any:
        return x * w

    def finish(self, total: Any) -> Any:
        return tir.clamp(total, *self._bounds)


class IntegerArithmetic(Arithmetic):
    """Integers throughout; the bias has the dtype of the sums, which are brought to the output's scale."""

    def __init__(self, call: Any, bias: Any, position: Sequence[Any], parameters: Sequence[Any]) -> None:
        channel = position[-1]
        self._call = call
        self._dtype = dtype_of(call)
        self._multiplier, self._shift = (parameter[channel] for parameter in parameters)
        self._x_offset = -int(call.attrs["input_zero"])
        self._w_offset = -int(call.attrs.get("weight_zero", 0))
        self.accumulator = dtype_of(call.args[2])
        self.start = bias[channel]

    def dot(self, x: Any, w: Any, count: Any) -> Any:
        function, offsets = self._dot_function()
        return tir.call(self.accumulator, function, x, w, count, *offsets)

    def _dot_function(self) -> tuple[str, tuple[int, ...]]:
        """The C function of the inner product, and the offsets that it takes."""
        both = (self._x_offset, self._w_offset)
        if self._dtype == "int8" and self._w_offset:
            return "rune_dot_i8_i8", both
        offsets = {"int8": both[:1], "uint8": both}
        return _DOTS[self._dtype, self.accumulator], offsets.get(self._dtype, ())

    def product(self, x: Any, w: Any) -> Any:
        product = (tir.cast("int32", x) + self._x_offset) * (tir.cast("int32", w) + self._w_offset)
        return tir.cast(self.accumulator, product)

    def finish(self, total: Any) -> Any:
        return requantized(total, self._multiplier, self._shift, self._call.attrs, self._dtype)


class HybridArithmetic(Arithmetic):
    """float32 activations, made int8 at run time with a scale and zero point per batch, and int8 weights.

    y = clamp(sum((x - zero) * w) * scale_x * scale_w + b).
    """

    accumulator = "int32"
    start = 0

    def __init__(self, call: Any, bias: Any, position: Sequence[Any], parameters: Sequence[Any]) -> None:
        scales, quantization = parameters
        batch, channel = position[0], position[-1]
        self._bounds = ACTIVATION_BOUNDS[str(call.attrs["activation"])]
        self._scale = scales[channel] * quantization[batch, 0]
        self._x_offset = -tir.cast("int32", quantization[batch, 1])
        self._bias = bias[channel]

    def dot(self, x: Any, w: Any, count: Any) -> Any:
        return tir.call("int32", "rune_dot_i8", x, w, count, self._x_offset)

    def product(self, x: Any, w: Any) -> Any:
        return (tir.cast("int32", x) + self._x_offset) * tir.cast("int32", w)

    def finish(self, total: Any) -> Any:
        return tir.clamp(tir.cast("float32", total) * self._scale + self._bias, *self._bounds)


def arithmetic_of(call: Any, bias: Any, position: Sequence[Any], parameters: Sequence[Any]) -> Arithmetic:
    """The arithmetic of a call's dtypes for the output element at `position`."""
    if dtype_of(call) != "float32":
        return IntegerArithmetic(call, bias, position, parameters)
    if dtype_of(call.args[0]) == "float32":
        return FloatArithmetic(call, bias, position)
    return HybridArithmetic(call, bias, position, parameters)


class WeightedSum(Operator):
    """Takes input, weights, bias; and for integers a multiplier and a shift for each output channel, for
    hybrids a scale for each output channel, and the scale and zero point of each batch of the input.

    The last dimension of the result counts channels.
    """

    options_table: ClassVar[str]
    channel_axis: ClassVar[int]
    """Axis of the weights that counts output channels."""

    @abstractmethod
    def geometry(self, node: Node, options: Any) -> dict[str, int | str]:
        """Attributes that say which input meets which weight.  Raises Unsupported when they do not fit."""

    @abstractmethod
    def accumulate(
        self, call: Any, arithmetic: Arithmetic, buffers: tuple[Any, Any], position: Any, total: tir.Cell
    ) -> None:
        """Adds to `total` the products of the output element at `position`; its last index is the channel."""

    def read_tflite(self, node: Node) -> Any:
        return self.read(node, node.value(0), node.output().shape)

    def read(self, node: Node, x: Any, shape: tuple[int, ...]) -> Any:
        """The call for a node whose input is `x` and whose result has `shape`."""
        dtypes = node.require_dtype(*COMBINATIONS)
        options = node.options(self.options_table)
        weights = node.constant(1)
        attributes = self.geometry(node, options)
        activation = fused_activation(options)
        channels = weights.shape[self.channel_axis]
        bias = bias_constant(node, 2, channels, self.accumulator_dtypes(dtypes[0]))
        arguments = [x, constant(weights), bias]
        if dtypes[0] == "float32":
            attributes["activation"] = activation
            if dtypes[1] == "int8":
                arguments = self._hybrid(node, arguments, channels, options)
            return self.call(arguments, attributes, shape, dtypes[0])
        weight_zero = self.weight_zero(node)
        if weight_zero:
            attributes["weight_zero"] = weight_zero
        attributes.update(output_attributes(node, activation))
        multipliers = accumulator_multipliers(node, channels, symmetric=not weight_zero)
        return self.integer(arguments, multipliers, attributes, shape)

    def accumulator_dtypes(self, dtype: str) -> tuple[str, ...]:
        """What dtypes the bias may have, and so the sums, for activations of `dtype`.

        For int16 the file chooses; sums without a bias are kept in 32 bits, as in TensorFlow Lite Micro.
        """
        return {"int16": ("int32", "int64"), "float32": ("float32",)}.get(dtype, ("int32",))

    def weight_zero(self, node: Node) -> int:
        """The zero point of the weights; only those of uint8 may have another than 0."""
        return per_tensor(node.input(1))[1] if node.input(1).dtype == "uint8" else 0

    def is_asymmetric(self, node: Node, options: Any) -> bool:
        """Whether a hybrid's input gets a zero point: in convolutions where weights are per channel."""
        quantization = node.input(1).quantization
        return quantization is not None and len(quantization.scale) > 1

    def _hybrid(self, node: Node, arguments: list[Any], channels: int, options: Any) -> list[Any]:
        """The arguments with the input quantised at run time."""
        x, weights, bias = arguments
        scales = constant(np.array(per_channel(node.input(1), channels), "float32"))
        quantization = node.emit(DynamicRange().of(x, asymmetric=self.is_asymmetric(node, options)))
        return [node.emit(DynamicQuantize().of(x, quantization)), weights, bias, scales, quantization]

    def integer(
        self,
        arguments: list[Any],
        multipliers: Multipliers,
        attributes: dict[str, int | str],
        shape: Sequence[int],
    ) -> Any:
        """The call on integer input, weights and bias; `attributes` has geometry, zero points and bounds."""
        dtype = dtype_of(arguments[0])
        return self.call([*arguments, *multipliers.constants()], attributes, shape, dtype)

    def lower(self, call: Any, target: Target) -> Kernel:
        def body(x: Any, w: Any, bias: Any, *rest: Any) -> None:
            *parameters, y = rest
            with tir.loops(*shape_of(call)) as position:
                arithmetic = arithmetic_of(call, bias, position, parameters)
                total = tir.Cell(arithmetic.accumulator, arithmetic.start)
                self.accumulate(call, arithmetic, (x, w), position, total)
                tir.store(y, position, arithmetic.finish(total.value))

        names = ["x", "w", "bias", "scale_0", "scale_1"]
        buffers = [
            (name, shape_of(argument), dtype_of(argument))
            for name, argument in zip(names, call.args, strict=False)
        ]
        return Kernel(tir.kernel([*buffers, ("y", shape_of(call), dtype_of(call))], body), call.args)
