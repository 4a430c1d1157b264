"""From scores to probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import only_input, per_tensor
from container.tensors import ElementType, Quantization, TensorType
from runefile.signatures import BlockUse, TypeRuleError

_PROBABILITY = Quantization((1 / 256,), (-128,))
"""What int8 probabilities have in TensorFlow Lite."""


class Softmax(Block):
    """`exp(x) / sum(exp(x))` along the last axis.

    F32 is computed as `exp(x - max)`, which cannot overflow; a row that holds NaN or plus infinity becomes
    NaN. Quantised I8 is computed in fixed point as TensorFlow Lite Micro's SOFTMAX, and gives I8 with the
    scale 1/256 and the zero point -128.
    """

    name = "softmax"
    summary = "scores to probabilities, along the last axis"
    example = "PROC_BLOCK<F32[1,10],F32[1,10]> probabilities softmax"

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        hint = "put `cast --type f32` before it, or `dequantize` where the integers stand for real numbers"
        kind = only_input(use, (ElementType.F32, ElementType.I8), hint)
        if kind.element is ElementType.F32:
            return (kind,)
        if per_tensor(kind.quantization) is None:
            raise TypeRuleError(
                f"nothing says what the integers of its input {kind} stand for", hint=hint, input=0
            )
        return (TensorType(ElementType.I8, kind.shape, _PROBABILITY),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder.operators.base import dtype_of, shape_of
        from builder.operators.quantize import float32_bits
        from builder.operators.softmax import Softmax as SoftmaxOperator

        (x,), operator = inputs, SoftmaxOperator()
        parameters = per_tensor(use.inputs[0].quantization)
        if parameters is not None:
            return [emit(operator.quantised(x, 1.0, parameters[0]), self.name)]
        return [emit(operator.call([x], {"beta": float32_bits(1.0)}, shape_of(x), dtype_of(x)), self.name)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        (x,) = inputs
        parameters = per_tensor(use.inputs[0].quantization)
        if parameters is not None:
            rows = [
                _fixed_point(row.tolist(), parameters[0]) for row in np.atleast_1d(x).reshape(-1, _depth(x))
            ]
            return [np.array(rows, np.int8).reshape(x.shape)]
        with np.errstate(invalid="ignore"):
            powers = np.exp(x.astype(np.float64) - x.max(axis=-1, keepdims=True))
        return [(powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)]


def _depth(values: Array) -> int:
    return values.shape[-1] if values.shape else 1


def _fixed_point(row: Sequence[int], scale: float) -> list[int]:
    """The softmax of one row of int8, in the steps of `builder/kernels/softmax.h`."""
    from builder.fixed_point import rounding_shift_right as shift_right
    from builder.fixed_point import saturating_doubling_high_multiply as multiply_high
    from builder.operators.softmax import exponential_table

    table = exponential_table(1.0, scale).tolist()
    exponentials = [table[max(row) - value] for value in row]
    total = sum(shift_right(exponential, 12) for exponential in exponentials)
    headroom = 32 - total.bit_length()
    reciprocal = _reciprocal((total << headroom) - (1 << 31))
    products = (multiply_high(reciprocal, exponential) for exponential in exponentials)
    return [min(max(shift_right(product, 35 - headroom) - 128, -128), 127) for product in products]


def _reciprocal(x: int) -> int:
    """1 / (1 + x) for x in [0, 1), both with 31 fractional bits, by three Newton steps."""
    from builder.fixed_point import saturating_doubling_high_multiply as multiply_high

    half_denominator = (x + (1 << 31)) // 2
    estimate = 1515870810 + multiply_high(half_denominator, -1010580540)
    for _ in range(3):
        error = (1 << 29) - multiply_high(half_denominator, estimate)
        estimate += multiply_high(estimate, error) * 4
    return min(estimate * 2, (1 << 31) - 1)
