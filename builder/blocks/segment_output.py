"""From the scores of a segmentation model to a map of classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.ordering import descending, index_of_largest
from builder.blocks.rules import NUMBERS, axis_of, integer, only_input, per_tensor
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError


class SegmentOutput(Block):
    """The class with the highest score at each place, and which classes there are.

    From `[..., channels]` the first output is `U32[...]`: the index of the highest score along the
    channels, the lowest of equal ones; NaN counts as less than anything else.  The second is
    `U8[channels]`: 1 where the class of that index occurs in the first output, else 0.  A stage that
    declares one output gets the first alone.
    """

    name = "segment_output"
    summary = "the class at each place of an image, and the set of classes in it"
    example = "PROC_BLOCK<F32[1,64,64,21],(U32[1,64,64],U8[21])> segments segment_output"
    parameters = (
        Parameter("axis", ParameterKind.INTEGER, "the axis of the channels, -1 for the last", default=-1),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(use, NUMBERS)
        per_tensor(kind.quantization)
        if len(kind.shape) < 2:
            raise TypeRuleError(f"takes scores of at least 2 dimensions, its input is {kind}", input=0)
        axis = axis_of(kind, integer(use, "axis") or 0)
        classes = TensorType(ElementType.U32, kind.shape[:axis] + kind.shape[axis + 1 :])
        present = TensorType(ElementType.U8, (kind.shape[axis],))
        return (classes,) if len(use.declared) == 1 else (classes, present)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from tvm import relax

        from builder import tir

        outer, channels, inner = _split(use)

        def body(x: Any, classes: Any, present: Any) -> None:
            with tir.loop(channels) as channel:
                tir.store(present, (channel,), tir.cast("uint8", 0))
            with tir.loops(outer, inner) as (i, j):
                best = index_of_largest(use.inputs[0].element, channels, lambda k: x[i, k, j])
                tir.store(classes, (i, j), tir.cast("uint32", best.value))
                tir.store(present, (best.value,), tir.cast("uint8", 1))

        cube = emit(relax.op.reshape(inputs[0], (outer, channels, inner)), "reshape")
        kinds = [TensorType(ElementType.U32, (outer, inner)), TensorType(ElementType.U8, (channels,))]
        return emit.kernel(body, [cube], kinds, self.name)[: len(outputs)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        outer, channels, inner = _split(use)
        classes = np.argmin(descending(inputs[0]).reshape(outer, channels, inner), axis=1)
        present = np.isin(np.arange(channels), classes)
        return [classes.astype(np.uint32).reshape(outputs[0].shape), present.astype(np.uint8)][: len(outputs)]


def _split(use: BlockUse) -> tuple[int, int, int]:
    """Number of elements before, along and after the axis of the channels."""
    shape = use.inputs[0].shape
    axis = axis_of(use.inputs[0], integer(use, "axis") or 0)
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
