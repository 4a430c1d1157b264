"""Sums of products with weights: what convolutions and fully connected layers share.

Reading them, and the loop over output elements around each sum.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from builder import tir
from builder.fixed_point import ACTIVATION_BOUNDS
from builder.operators.base import Kernel, Node, Operator, constant, dtype_of, per_tensor, shape_of
from builder.quantized import (
    Multipliers,
    accumulator_multipliers,
    bias_constant,
    fused_activation,
    output_attributes,
    requantized,
)
from container.abi import Profile

COMBINATIONS = (
    ("int8", "int8", "int8"),
    ("int16", "int8", "int16"),
    ("uint8", "uint8", "uint8"),
    ("float32", "float32", "float32"),
)
"""Dtypes of input, weights and result that a weighted sum takes."""

_DOTS = {
    ("int8", "int32"): "rune_dot_i8",
    ("int16", "int32"): "rune_dot_i16",
    ("int16", "int64"): "rune_dot_i16_wide",
    ("uint8", "int32"): "rune_dot_u8",
    ("float32", "float32"): "rune_dot_f32",
}
"""The C function for each dtype of the input and the accumulator."""


class Arithmetic:
    """Products of inputs and weights in one dtype, as TIR."""

    def __init__(self, call: Any) -> None:
        self._dtype = dtype_of(call)
        self.is_integer = self._dtype != "float32"
        self.accumulator = dtype_of(call.args[2])
        """The bias has the dtype that sums are kept in."""
        self._x_offset = -int(call.attrs["input_zero"]) if self.is_integer else 0
        self._w_offset = -int(call.attrs.get("weight_zero", 0)) if self.is_integer else 0

    def dot(self, x: Any, w: Any, count: Any) -> Any:
        """The inner product of `count` elements from two addresses."""
        offsets = {"int8": (self._x_offset,), "uint8": (self._x_offset, self._w_offset)}
        function = _DOTS[self._dtype, self.accumulator]
        return tir.call(self.accumulator, function, x, w, count, *offsets.get(self._dtype, ()))

    def product(self, x: Any, w: Any) -> Any:
        if not self.is_integer:
            return x * w
        product = (tir.cast("int32", x) + self._x_offset) * (tir.cast("int32", w) + self._w_offset)
        return tir.cast(self.accumulator, product)


class WeightedSum(Operator):
    """Takes input, weights, bias and, for integers, a multiplier and a shift for each output channel.

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
        bias = bias_constant(node, 2, channels, accumulator_dtypes(dtypes[0]))
        if dtypes[0] == "float32":
            attributes["activation"] = activation
            return self.call([x, constant(weights), bias], attributes, shape, dtypes[0])
        if dtypes[0] == "uint8":
            attributes["weight_zero"] = per_tensor(node.input(1))[1]
        attributes.update(output_attributes(node, activation))
        multipliers = accumulator_multipliers(node, channels)
        return self.integer([x, constant(weights), bias], multipliers, attributes, shape)

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

    def lower(self, call: Any, profile: Profile) -> Kernel:
        arithmetic = Arithmetic(call)
        finish = _requantize(call) if arithmetic.is_integer else _activate(call)

        def body(x: Any, w: Any, bias: Any, *rest: Any) -> None:
            *parameters, y = rest
            with tir.loops(*shape_of(call)) as position:
                channel = position[-1]
                total = tir.Cell(arithmetic.accumulator, bias[channel])
                self.accumulate(call, arithmetic, (x, w), position, total)
                tir.store(y, position, finish(total.value, *(parameter[channel] for parameter in parameters)))

        names = ["x", "w", "bias", "multiplier", "shift"]
        buffers = [
            (name, shape_of(argument), dtype_of(argument))
            for name, argument in zip(names, call.args, strict=False)
        ]
        return Kernel(tir.kernel([*buffers, ("y", shape_of(call), dtype_of(call))], body), call.args)


def accumulator_dtypes(dtype: str) -> tuple[str, ...]:
    """What dtypes the bias may have, and so the sums: for int16 the file chooses.

    int16 sums without a bias are kept in 32 bits, as TensorFlow Lite Micro keeps them.
    """
    return {"int16": ("int32", "int64"), "float32": ("float32",)}.get(dtype, ("int32",))


def _requantize(call: Any) -> Callable[..., Any]:
    dtype = dtype_of(call)
    return lambda total, multiplier, shift: requantized(total, multiplier, shift, call.attrs, dtype)


def _activate(call: Any) -> Callable[..., Any]:
    low, high = ACTIVATION_BOUNDS[str(call.attrs["activation"])]
    return lambda total: tir.clamp(total, low, high)
