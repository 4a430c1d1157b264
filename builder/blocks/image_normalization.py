"""From pixels to the floats from 0 to 1 that image models are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import limits, only_input, plain
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse

_PIXELS = (ElementType.U8, ElementType.I8, ElementType.U16, ElementType.I16)


class ImageNormalization(Block):
    """`(x - lowest) / (highest - lowest)` in F32, of the limits of the integer type: `x / 255` for U8.

    Any shape, so grey images too.  The quotient is rounded once.
    """

    name = "image-normalization"
    summary = "integer pixels to floats from 0 to 1"
    example = "PROC_BLOCK<U8[96,96,3],F32[96,96,3]> pixels image-normalization"

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        hint = "`normalize` stretches any other numbers to the range from 0 to 1"
        kind = plain(only_input(use, _PIXELS, hint), "takes pixels")
        return (TensorType(ElementType.F32, kind.shape),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder import tir

        low, high = limits(use.inputs[0].element)

        def normalized(x: Any) -> Any:
            return tir.cast("float32", tir.cast("int32", x) - low) / tir.literal("float32", float(high - low))

        return [emit.elementwise(normalized, inputs, "image_normalization")]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        (x,) = inputs
        low, high = np.iinfo(x.dtype).min, np.iinfo(x.dtype).max
        return [((x.astype(np.float64) - low) / (high - low)).astype(np.float32)]
