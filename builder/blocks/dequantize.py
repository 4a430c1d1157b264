"""From the integers of a quantised model to the real numbers they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.quantization import SCALE, ZERO_POINT, argued, check_zero_point
from builder.blocks.rules import only_input, per_tensor
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, TypeRuleError

SOURCES = (ElementType.I8, ElementType.U8, ElementType.I16, ElementType.U16, ElementType.I32)


class Dequantize(Block):
    """`scale * (x - zero-point)` in F32.

    Scale and zero point are those of the input, as its model gives them, unless the arguments give others.
    """

    name = "dequantize"
    summary = "integers to the real numbers they stand for"
    example = "PROC_BLOCK<I8[1,12],F32[1,12]> scores dequantize --scale 0.00390625 --zero-point -128"
    parameters = (SCALE, ZERO_POINT)

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(
            use, SOURCES, hint="a float tensor needs no `dequantize`; other integers want `cast`"
        )
        _, zero_point = _parameters(use)
        check_zero_point(zero_point, kind.element)
        if kind.element is ElementType.I32 and zero_point != 0:
            raise TypeRuleError(
                f"zero-point is {zero_point}, expected 0 for {kind}", argument=ZERO_POINT.name
            )
        return (TensorType(ElementType.F32, kind.shape),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder.operators.dequantize import Dequantize as DequantizeOperator

        return [emit(DequantizeOperator().from_integers(inputs[0], *_parameters(use)), self.name)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        scale, zero_point = _parameters(use)
        return [(inputs[0].astype(np.int64) - zero_point).astype(np.float32) * np.float32(scale)]


def _parameters(use: BlockUse) -> tuple[float, int]:
    """Scale and zero point.  Raises TypeRuleError."""
    found = per_tensor(argued(use) or use.inputs[0].quantization)
    if found is None:
        raise TypeRuleError(
            f"nothing says what the integers of its input {use.inputs[0]} stand for",
            hint="write --scale 0.05 --zero-point 0, or `cast --type f32` to take them as they are",
            input=0,
        )
    return found
