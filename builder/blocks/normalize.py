"""From any range of numbers to 0..1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import NUMBERS, only_input
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse


class Normalize(Block):
    """`(x - min) / (max - min)` over the whole tensor; a constant tensor is passed on unchanged.

    Integers give F32: their differences are exact and rounded to F32 before the division.  Quantised
    integers give the same as the numbers they stand for would.  NaN stays NaN and takes no part in min and
    max; with infinite elements, or finite ones more than the largest float apart, it computes what
    floating-point arithmetic says.
    """

    name = "normalize"
    summary = "stretches the tensor to the range from 0 to 1"
    example = "PROC_BLOCK<F32[128,3],F32[128,3]> normal normalize"

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(use, NUMBERS)
        element = kind.element if kind.element.is_float else ElementType.F32
        return (TensorType(element, kind.shape),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder import tir
        from builder.operators.base import shape_of

        source, dtype = use.inputs[0].element, outputs[0].element.dtype
        shape = shape_of(inputs[0])
        largest, smallest = _extremes(source)

        def body(x: Any, y: Any) -> None:
            low = tir.Cell(source.dtype, tir.literal(source.dtype, largest))
            high = tir.Cell(source.dtype, tir.literal(source.dtype, smallest))
            with tir.loops(*shape) as position:
                with tir.when(x[position] < low.value):
                    low.set(x[position])
                with tir.when(x[position] > high.value):
                    high.set(x[position])

            def above_low(value: Any) -> Any:
                # Unsigned arithmetic wraps, so the difference of two integers is exact whatever their signs.
                wide = source.dtype if source.is_float else "uint64" if source.bytes == 8 else "uint32"
                return tir.cast(dtype, tir.cast(wide, value) - tir.cast(wide, low.value))

            with tir.loops(*shape) as position:
                tir.store(y, position, tir.cast(dtype, x[position]))
                with tir.when(high.value > low.value):
                    tir.store(y, position, above_low(x[position]) / above_low(high.value))

        return emit.kernel(body, inputs, outputs, self.name)

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        (x,), dtype = inputs, outputs[0].element.dtype
        known = x[~np.isnan(x)] if x.dtype.kind == "f" else x
        if known.size == 0 or known.max() == known.min():
            return [x.astype(dtype)]
        with np.errstate(invalid="ignore", over="ignore"):
            if x.dtype.kind == "f":
                return [(x - known.min()) / (known.max() - known.min())]
            low = int(known.min())
            differences = np.array([float(np.dtype(dtype).type(int(v) - low)) for v in x.reshape(-1)], dtype)
            return [(differences / differences.max()).reshape(x.shape)]


def _extremes(element: ElementType) -> tuple[float, float]:
    """What every element is smaller, and larger, than or equal to."""
    if element.is_float:
        return float("inf"), float("-inf")
    limits = np.iinfo(element.dtype)
    return int(limits.max), int(limits.min)
