"""From bytes to text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import only_input
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse


class Utf8Decode(Block):
    """The bytes along the last axis as text, up to the first NUL; without one, all of them.

    `U8[n]` gives `UTF8[1]`, `U8[k,n]` gives `UTF8[k]`.  Bytes that are not UTF-8 are kept, and shown as
    U+FFFD.
    """

    name = "utf8_decode"
    summary = "bytes to text, up to the first NUL"
    example = "PROC_BLOCK<U8[64],UTF8[1]> text utf8_decode"

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(use, (ElementType.U8,), hint="put `cast --type u8` before it")
        shape = kind.shape or (1,)
        return (TensorType(ElementType.UTF8, shape[:-1] or (1,), width=shape[-1]),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from tvm import relax

        from builder import tir

        rows, width = outputs[0].count, outputs[0].array_shape[-1]

        def body(x: Any, y: Any) -> None:
            with tir.loop(rows) as row:
                going = tir.Cell("int32", 1)
                with tir.loop(width) as i:
                    with tir.when(x[row, i] == 0):
                        going.set(0)
                    tir.store(y, (row, i), tir.select(going.value == 1, x[row, i], tir.cast("uint8", 0)))

        table = emit(relax.op.reshape(inputs[0], (rows, width)), "reshape")
        return emit.kernel(body, [table], [TensorType(ElementType.UTF8, (rows,), width=width)], self.name)

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        (x,) = inputs
        return [
            np.where(np.cumsum(x == 0, axis=-1) == 0, x, 0).astype(np.uint8).reshape(outputs[0].array_shape)
        ]
