"""Sums of products with weights: what convolutions and fully connected layers share.

Reading them, and the loop over output elements around each sum.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from builder import tir
from builder.fixed_point import ACTIVATION_BOUNDS
from builder.operators.base import Kernel, Node, Operator, constant, dtype_of, shape_of
from builder.quantized import (
    Multipliers,
    accumulator_multipliers,
    bias_constant,
    fused_activation,
    output_attributes,
    requantized,
)
from container.abi import Profile


class Arithmetic:
    """Products of inputs and weights in one dtype, as TIR."""

    def __init__(self, call: Any) -> None:
        self.is_integer = dtype_of(call) == "int8"
        self.accumulator = "int32" if self.is_integer else "float32"
        self._x_offset = -int(call.attrs["input_zero"]) if self.is_integer else 0

    def dot(self, x: Any, w: Any, count: Any) -> Any:
        """The inner product of `count` elements from two addresses."""
        if self.is_integer:
            return tir.call("int32", "rune_dot_i8", x, w, count, self._x_offset)
        return tir.call("float32", "rune_dot_f32", x, w, count)

    def product(self, x: Any, w: Any) -> Any:
        if self.is_integer:
            return (tir.cast("int32", x) + self._x_offset) * tir.cast("int32", w)
        return x * w


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
        dtypes = node.require_dtype(("int8", "int8", "int8"), ("float32", "float32", "float32"))
        options = node.options(self.options_table)
        weights = node.constant(1)
        attributes = self.geometry(node, options)
        activation = fused_activation(options)
        channels = weights.shape[self.channel_axis]
        if dtypes[0] == "float32":
            arguments = [x, constant(weights), bias_constant(node, 2, channels, "float32")]
            attributes["activation"] = activation
            return self.call(arguments, attributes, shape, dtypes[0])
        arguments = [x, constant(weights), bias_constant(node, 2, channels, "int32")]
        multipliers = accumulator_multipliers(node, channels)
        return self.integer(arguments, multipliers, {**attributes, **output_attributes(node, activation)}, shape)

    def integer(
        self, arguments: list[Any], multipliers: Multipliers, attributes: dict[str, int | str], shape: Sequence[int]
    ) -> Any:
        """The int8 call on input, weights and bias; `attributes` has the geometry, zero points and bounds."""
        return self.call([*arguments, *multipliers.constants()], attributes, shape, "int8")

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


def _requantize(call: Any) -> Callable[..., Any]:
    return lambda total, multiplier, shift: requantized(total, multiplier, shift, call.attrs)


def _activate(call: Any) -> Callable[..., Any]:
    low, high = ACTIVATION_BOUNDS[str(call.attrs["activation"])]
    return lambda total: tir.clamp(total, low, high)
