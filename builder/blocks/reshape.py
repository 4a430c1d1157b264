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
        shape, argument = _shape(use, kind)
        if math.prod(shape) != kind.count:
            given = ",".join(map(str, shape))
            raise TypeRuleError(
                f"the shape [{given}] has {math.prod(shape)} elements, its input {kind} has {kind.count}",
                argument=argument,
            )
        return (replace(kind, shape=shape),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from tvm import relax

        return [emit(relax.op.reshape(inputs[0], outputs[0].array_shape), self.name)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        return [inputs[0].reshape(outputs[0].array_shape)]


def _shape(use: BlockUse, kind: TensorType) -> tuple[tuple[int, ...], str | None]:
    """The shape of the output, and the argument it comes from.  Raises TypeRuleError."""
    given = use.arguments.get("shape")
    if isinstance(given, tuple):
        return _completed([int(str(size)) for size in given], kind), "shape"
    declared = use.declared[0] if use.declared else None
    if declared is None:
        raise TypeRuleError(
            "nothing says which shape the output has",
            hint="declare it, as in PROC_BLOCK<_,F32[1,49,40]> name reshape, or write --shape 1,49,40",
        )
    return declared.shape, None


def _completed(sizes: list[int], kind: TensorType) -> tuple[int, ...]:
    """The sizes, with what is left for a -1."""
    known = math.prod(size for size in sizes if size != -1)
    if any(size < 1 and size != -1 for size in sizes) or sizes.count(-1) > 1:
        raise TypeRuleError(
            f"shape is {','.join(map(str, sizes))}, expected dimensions of 1 or more, and -1 at most once",
            argument="shape",
        )
    return tuple(max(kind.count // known, 1) if size == -1 else size for size in sizes)
