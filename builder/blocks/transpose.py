"""Puts the axes of a tensor into another order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import NUMBERS, only_input
from container.tensors import ElementType, Quantization, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError


class Transpose(Block):
    """The axes in another order: axis k of the output is axis `axes[k]` of the input.

    Without `--axes` their order is turned round.  `--axes 2,0,1` brings an image from rows, columns,
    channels to channels, rows, columns.
    """

    name = "transpose"
    summary = "the axes in another order"
    example = "PROC_BLOCK<U8[96,96,3],U8[3,96,96]> planes transpose --axes 2,0,1"
    parameters = (
        Parameter(
            "axes",
            ParameterKind.INTEGERS,
            "the axes of the input in the order of the output; without it turned round",
            aliases=("permutation",),
        ),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(use, (*NUMBERS, ElementType.UTF8))
        axes = _axes(use, kind)
        shape = tuple(kind.shape[axis] for axis in axes)
        return (replace(kind, shape=shape, quantization=_moved(kind.quantization, axes)),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from tvm import relax

        (kind,) = use.inputs
        axes = _with_bytes(_axes(use, kind) or [0], kind)
        return [emit(relax.op.permute_dims(inputs[0], axes), self.name)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        (kind,) = use.inputs
        return [inputs[0].transpose(_with_bytes(_axes(use, kind), kind))]


def _axes(use: BlockUse, kind: TensorType) -> list[int]:
    """The axes of the input in the order of the output.  Raises TypeRuleError."""
    rank, given = len(kind.shape), use.arguments.get("axes")
    if not isinstance(given, tuple):
        return list(reversed(range(rank)))
    axes = [int(str(axis)) for axis in given]
    counted = [axis + rank if -rank <= axis < 0 else axis for axis in axes]
    if sorted(counted) != list(range(rank)):
        raise TypeRuleError(
            f"axes are {_listed(axes)}, expected each of {_listed(range(rank))} once: its input is {kind}",
            argument="axes",
        )
    return counted


def _with_bytes(axes: list[int], kind: TensorType) -> list[int]:
    """The axes of the array that carries the tensor, where text has its bytes last."""
    return [*axes, len(axes)] if kind.element is ElementType.UTF8 else axes


def _moved(quantization: Quantization | None, axes: Sequence[int]) -> Quantization | None:
    if quantization is None or quantization.axis is None:
        return quantization
    return replace(quantization, axis=list(axes).index(quantization.axis))


def _listed(axes: Iterable[int]) -> str:
    return ",".join(map(str, axes))
