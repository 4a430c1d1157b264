"""From scores to probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter, NoReference
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
        if x.dtype != np.float32:
            raise NoReference("int8 softmax has no reference in NumPy")
        with np.errstate(invalid="ignore"):
            powers = np.exp(x.astype(np.float64) - x.max(axis=-1, keepdims=True))
        return [(powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)]
