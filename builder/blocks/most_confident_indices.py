"""Where the largest values are: from a classifier's scores to its best answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.ordering import descending, larger, largest_first
from builder.blocks.rules import NUMBERS, integer, only_input, per_tensor
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError


class MostConfidentIndices(Block):
    """The indices (row-major, from 0) of the `count` largest elements of the whole tensor, the largest
    first.

    Of equal elements the one with the lowest index comes first; NaN counts as less than anything else.  The
    output is `U32[count]`.  Quantised integers are compared as they are, which orders them as the numbers
    they stand for. It takes `count` passes over the input.
    """

    name = "most_confident_indices"
    summary = "the indices of the `count` largest elements, the largest first"
    example = "PROC_BLOCK<I8[1,12],U32[3]> best most_confident_indices --count 3"
    parameters = (
        Parameter("count", ParameterKind.INTEGER, "how many indices, 1 to the number of elements", default=1),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(use, NUMBERS)
        per_tensor(kind.quantization)
        count = integer(use, "count") or 0
        if not 1 <= count <= kind.count:
            raise TypeRuleError(
                f"count is {count}, its input {kind} has {kind.count} elements",
                hint=f"give a count from 1 to {kind.count}",
                argument="count",
            )
        return (TensorType(ElementType.U32, (count,)),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from tvm import relax

        from builder import tir

        kind, count = use.inputs[0], outputs[0].count
        better = larger(kind.element)

        def body(x: Any, y: Any) -> None:
            def found(rank: Any, index: Any) -> None:
                tir.store(y, (rank,), tir.cast("uint32", index))

            largest_first(better, kind.count, count, lambda i: x[i], found)

        flat = emit(relax.op.reshape(inputs[0], (kind.count,)), "reshape")
        return emit.kernel(body, [flat], [TensorType(ElementType.U32, (count,))], self.name)

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        order = np.argsort(descending(inputs[0].reshape(-1)), kind="stable")
        return [order[: outputs[0].count].astype(np.uint32)]
