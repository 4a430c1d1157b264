"""The same elements in another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import NUMBERS, only_input, per_tensor
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError


class Reshape(Block):
    """The same elements, row-major, in the shape of the declared output, or of `--shape`.

    One dimension of `--shape` may be -1: it is what is left for it.  No code runs and no memory is used.
    """

    name = "reshape"
    summary = "the same elements in another shape"
    example = "PROC_BLOCK<F32[1,1960],F32[1,49,40,1]> image reshape"
    parameters = (Parameter("shape", ParameterKind.INTEGERS, "the dimensions of the output"),)

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(use, (*NUMBERS, ElementType.UTF8))
        per_tensor(kind.quantization)
        return (replace(kind, shape=_shape(use, kind)),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from tvm import relax

        return [emit(relax.op.reshape(inputs[0], outputs[0].array_shape), self.name)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        return [inputs[0].reshape(outputs[0].array_shape)]


def _shape(use: BlockUse, kind: TensorType) -> tuple[int, ...]:
    """The shape of the output.  Raises TypeRuleError."""
    given = use.arguments.get("shape")
    if isinstance(given, tuple):
        return _completed([int(str(size)) for size in given], kind)
    declared = use.declared[0] if use.declared else None
    if declared is None:
        raise TypeRuleError(
            "nothing says which shape the output has",
            hint="declare it, as in PROC_BLOCK<_,F32[1,49,40]> name reshape, or write --shape 1,49,40",
        )
    if declared.count != kind.count:
        raise TypeRuleError(f"{declared} has {declared.count} elements, its input {kind} has {kind.count}")
    return declared.shape


def _completed(sizes: list[int], kind: TensorType) -> tuple[int, ...]:
    """The sizes, with what is left for a -1.  Raises TypeRuleError."""
    written = ",".join(map(str, sizes))
    if any(size < 1 and size != -1 for size in sizes) or sizes.count(-1) > 1:
        raise TypeRuleError(
            f"shape is {written}, expected dimensions of 1 or more, and -1 at most once", argument="shape"
        )
    known = math.prod(size for size in sizes if size != -1)
    shape = tuple(kind.count // known if size == -1 else size for size in sizes)
    if math.prod(shape) != kind.count:
        raise TypeRuleError(
            f"the {kind.count} elements of its input {kind} do not fit the shape {written}", argument="shape"
        )
    return shape
