"""Where the largest value is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.ordering import descending, index_of_largest
from builder.blocks.rules import NUMBERS, axis_of, integer, only_input, per_tensor
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind


class Argmax(Block):
    """The index, from 0, of the largest element: of the whole tensor (row-major) as `U32[1]`, or along an
    axis.

    Along an axis the output has the shape of the input without it.  Of equal elements the one with the
    lowest index is taken; NaN counts as less than anything else.  Quantised integers are compared as they
    are.
    """

    name = "argmax"
    summary = "the index of the largest element"
    example = "PROC_BLOCK<F32[1,10],U32[1]> best argmax"
    parameters = (
        Parameter("axis", ParameterKind.INTEGER, "the axis to search along, -1 for the last; without it all"),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(use, NUMBERS)
        per_tensor(kind.quantization)
        axis = integer(use, "axis")
        if axis is None:
            return (TensorType(ElementType.U32, (1,)),)
        axis = axis_of(kind, axis)
        return (TensorType(ElementType.U32, kind.shape[:axis] + kind.shape[axis + 1 :] or (1,)),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from tvm import relax

        from builder import tir

        kind = use.inputs[0]
        outer, count, inner = _split(use)

        def body(x: Any, y: Any) -> None:
            with tir.loops(outer, inner) as (i, j):
                best = index_of_largest(kind.element, count, lambda k: x[i, k, j])
                tir.store(y, (i, j), tir.cast("uint32", best.value))

        cube = emit(relax.op.reshape(inputs[0], (outer, count, inner)), "reshape")
        return emit.kernel(body, [cube], [TensorType(ElementType.U32, (outer, inner))], self.name)

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        ranks = descending(inputs[0]).reshape(_split(use))
        return [np.argmin(ranks, axis=1).astype(np.uint32).reshape(outputs[0].shape)]


def _split(use: BlockUse) -> tuple[int, int, int]:
    """Number of elements before, along and after the axis."""
    kind, axis = use.inputs[0], integer(use, "axis")
    if axis is None:
        return 1, kind.count, 1
    axis = axis_of(kind, axis)
    return math.prod(kind.shape[:axis]), kind.shape[axis], math.prod(kind.shape[axis + 1 :])
