"""A proc block in Python: how much each element differs from the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, TypeRuleError


class Differences(Block):
    """`y[i] = x[i + 1] - x[i]`, in F32: one element less than the input has."""

    name = "differences"
    summary = "how much each element differs from the one before it"

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        (source,) = use.inputs
        if source.element is not ElementType.F32 or len(source.shape) != 1 or source.count < 2:
            raise TypeRuleError(f"takes F32[N] with at least two elements, is given {source}", input=0)
        return (TensorType(ElementType.F32, (source.count - 1,)),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from tvm import relax

        (x,), count = inputs, use.inputs[0].count
        later = emit(relax.op.strided_slice(x, [0], [1], [count]), "later")
        earlier = emit(relax.op.strided_slice(x, [0], [0], [count - 1]), "earlier")
        return [emit(relax.op.subtract(later, earlier), "differences")]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        return [np.diff(inputs[0])]
