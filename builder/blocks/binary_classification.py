"""From scores to yes or no."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import (
    INTEGERS,
    NUMBERS,
    declared_element,
    limits,
    number,
    only_input,
    per_tensor,
    real,
)
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind


class BinaryClassification(Block):
    """1 where an element is greater than `threshold`, else 0; NaN is not greater.

    The threshold is rounded to the type of a float input.  For quantised integers it is in the unit of the
    real numbers they stand for, and the comparison is exact.  The output is U32, or the integer type that
    is declared.
    """

    name = "binary_classification"
    summary = "whether each element is greater than a threshold"
    example = "PROC_BLOCK<F32[1],U32[1]> is_person binary_classification --threshold 0.7"
    parameters = (
        Parameter("threshold", ParameterKind.NUMBER, "what a score must be greater than", default=0.5),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(use, NUMBERS)
        per_tensor(kind.quantization)
        if kind.element.is_float:
            real(number(use, "threshold") or 0, kind, "threshold")
        declared = declared_element(use)
        return (TensorType(declared if declared in INTEGERS else ElementType.U32, kind.shape),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder import tir

        element, dtype = use.inputs[0].element, outputs[0].element.dtype
        yes, no = tir.cast(dtype, 1), tir.cast(dtype, 0)

        def is_greater(x: Any) -> Any:
            if element.is_float:
                threshold = tir.literal(element.dtype, float(number(use, "threshold") or 0))
                return tir.select(x > threshold, yes, no)
            low, high = limits(element)
            least = _least_integer(use)
            if least > high:
                return no
            return tir.select(x >= tir.literal(element.dtype, max(least, low)), yes, no)

        return [emit.elementwise(is_greater, inputs, self.name)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        (x,), threshold = inputs, number(use, "threshold") or 0
        if x.dtype.kind == "f":
            greater = x > x.dtype.type(threshold)
        else:
            scale, zero_point = per_tensor(use.inputs[0].quantization) or (1, 0)
            stored = [Fraction(scale) * (int(value) - zero_point) for value in x.reshape(-1)]
            greater = np.array([value > threshold for value in stored]).reshape(x.shape)
        return [greater.astype(outputs[0].element.dtype)]


def _least_integer(use: BlockUse) -> int:
    """The smallest stored integer that stands for a number greater than the threshold."""
    scale, zero_point = per_tensor(use.inputs[0].quantization) or (1, 0)
    return math.floor(Fraction(number(use, "threshold") or 0) / Fraction(scale)) + zero_point + 1
