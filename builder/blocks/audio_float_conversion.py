"""From the integers of a sound to the floats that audio models are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import Number, limits, number, only_input, plain
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError

_SAMPLES = (ElementType.I16, ElementType.I8, ElementType.I32)


class AudioFloatConversion(Block):
    """`x / full-scale` in F32, limited to -1..1; the lowest integer, which has no positive partner, gives -1.

    `full-scale` is the largest sample there can be: without the argument that of the integer type, 32767 for
    I16.  Both are rounded to F32 before the division.
    """

    name = "audio_float_conversion"
    summary = "integer sound samples to floats from -1 to 1"
    example = "PROC_BLOCK<I16[16000],F32[16000]> sound audio_float_conversion"
    parameters = (
        Parameter(
            "full-scale",
            ParameterKind.NUMBER,
            "the sample that becomes 1.0; without it the largest of the integer type",
            aliases=("i16-max-as-float",),
        ),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        hint = "a sound in floats needs no conversion; `scale` multiplies anything else"
        kind = plain(only_input(use, _SAMPLES, hint), "takes sound samples")
        full_scale = _full_scale(use)
        if not 1 <= full_scale <= 2.0**31:
            raise TypeRuleError(
                f"full-scale is {full_scale}, expected 1 to 2147483648", argument="full-scale"
            )
        return (TensorType(ElementType.F32, kind.shape),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder import tir

        full_scale = tir.literal("float32", float(_full_scale(use)))

        def converted(x: Any) -> Any:
            return tir.clamp(tir.cast("float32", x) / full_scale, -1.0, 1.0)

        return [emit.elementwise(converted, inputs, self.name)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        return [np.clip(inputs[0].astype(np.float32) / np.float32(_full_scale(use)), -1, 1)]


def _full_scale(use: BlockUse) -> Number:
    value = number(use, "full-scale")
    return limits(use.inputs[0].element)[1] if value is None else value
