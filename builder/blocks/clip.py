"""Keeps numbers within bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import NUMBERS, limits, number, only_input, per_tensor, real
from container.tensors import TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError


class Clip(Block):
    """The nearest number from `low` to `high`; either may be left out, NaN stays NaN.

    The bounds are rounded to the type of a float input.  For integers they are rounded inwards, so that the
    output lies within them; for quantised integers they are in the unit of the real numbers they stand for.
    The output has the type of the input.
    """

    name = "clip"
    summary = "limits each element to the range from `low` to `high`"
    example = "PROC_BLOCK<F32[3],F32[3]> limited clip --low -1 --high 1"
    parameters = (
        Parameter("low", ParameterKind.NUMBER, "the smallest number that may come out", aliases=("min",)),
        Parameter("high", ParameterKind.NUMBER, "the largest number that may come out", aliases=("max",)),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(use, NUMBERS)
        low, high = number(use, "low"), number(use, "high")
        if low is None and high is None:
            raise TypeRuleError("there is neither a low nor a high bound", hint="write --low -1 --high 1")
        if low is not None and high is not None and low > high:
            raise TypeRuleError(f"low is {low}, more than high, {high}", argument="low")
        if kind.element.is_float:
            for name, bound in (("low", low), ("high", high)):
                real(bound or 0, kind, name)
            return (kind,)
        smallest, largest = _integer_bounds(use)
        if smallest > largest:
            bounds = [f"at least {low}"] * (low is not None) + [f"at most {high}"] * (high is not None)
            raise TypeRuleError(
                f"no number that its input {kind} can hold is {' and '.join(bounds)}",
                hint="put `cast --type f32` before it, or `dequantize` if the input is quantised",
            )
        return (kind,)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder import tir

        element = outputs[0].element
        low, high = (tir.literal(element.dtype, bound) for bound in _bounds(use))

        def clipped(x: Any) -> Any:
            if element.is_float:
                return tir.pure_call(element.dtype, f"rune_clip_{element.value}", x, low, high)
            return tir.minimum(tir.maximum(x, low), high)

        return [emit.elementwise(clipped, inputs, self.name)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        low, high = (inputs[0].dtype.type(bound) for bound in _bounds(use))
        return [np.clip(inputs[0], low, high)]


def _bounds(use: BlockUse) -> tuple[float, float]:
    if not use.inputs[0].element.is_float:
        return _integer_bounds(use)
    low, high = number(use, "low"), number(use, "high")
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)


def _integer_bounds(use: BlockUse) -> tuple[int, int]:
    """The smallest and the largest stored integer within the bounds; none is when the first is the larger."""
    kind = use.inputs[0]
    scale, zero_point = per_tensor(kind.quantization) or (1, 0)
    smallest, largest = limits(kind.element)
    low, high = number(use, "low"), number(use, "high")
    if low is not None:
        smallest = max(smallest, math.ceil(Fraction(low) / Fraction(scale)) + zero_point)
    if high is not None:
        largest = min(largest, math.floor(Fraction(high) / Fraction(scale)) + zero_point)
    return smallest, largest
