"""Multiplies and shifts numbers: units to other units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import NUMBERS, number, only_input, plain, real
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind


class Scale(Block):
    """`x * factor + offset`, rounded after each operation.

    Floats keep their type; integers are rounded to F32 first and give F32.
    """

    name = "scale"
    summary = "multiplies by a factor and adds an offset"
    example = "PROC_BLOCK<F32[128,3],F32[128,3]> milli_g scale --factor 1000"
    parameters = (
        Parameter("factor", ParameterKind.NUMBER, "what to multiply by", default=1.0),
        Parameter("offset", ParameterKind.NUMBER, "what to add to the product", default=0.0),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = plain(only_input(use, NUMBERS), "computes with numbers")
        result = TensorType(kind.element if kind.element.is_float else ElementType.F32, kind.shape)
        for name in ("factor", "offset"):
            real(number(use, name) or 0, result, name)
        return (result,)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder import tir

        element = outputs[0].element
        factor, offset = (tir.literal(element.dtype, value) for value in _constants(use))

        def scaled(x: Any) -> Any:
            # In C, since TVM would simplify a product with 0 or 1 regardless of NaN and signs.
            value = tir.cast(element.dtype, x)
            return tir.pure_call(element.dtype, f"rune_scale_{element.value}", value, factor, offset)

        return [emit.elementwise(scaled, inputs, self.name)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        values = inputs[0].astype(outputs[0].element.dtype)
        factor, offset = (values.dtype.type(value) for value in _constants(use))
        with np.errstate(over="ignore", invalid="ignore"):
            return [values * factor + offset]


def _constants(use: BlockUse) -> tuple[float, float]:
    return float(number(use, "factor") or 0), float(number(use, "offset") or 0)
