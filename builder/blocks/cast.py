"""From one element type to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import (
    FLOATS,
    INTEGERS,
    NUMBERS,
    declared_element,
    element_named,
    limits,
    only_input,
)
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError


class Cast(Block):
    """The same numbers in another element type: that of the declared output, or of `--type`.

    To integers: the fraction is cut off (-1.9 gives -1), a number out of range gives the nearest limit, NaN
    gives 0. To floats: the nearest float, ties to even.  Between integers a quantisation is kept; quantised
    integers to floats is the work of `dequantize`.
    """

    name = "cast"
    summary = "the same numbers in another element type"
    example = "PROC_BLOCK<U8[96,96],F32[96,96]> floats cast"
    parameters = (
        Parameter(
            "type",
            ParameterKind.TEXT,
            "element type of the output",
            choices=tuple(element.value for element in NUMBERS),
        ),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        hint = "`parse` makes numbers of text"
        kind, target = only_input(use, NUMBERS, hint), _target(use)
        if kind.quantization is not None and target in FLOATS:
            raise TypeRuleError(
                f"the integers of its input {kind} stand for other numbers: {kind.quantization}",
                hint="use `dequantize` to get those, `dequantize --scale 1` to get the bare integers",
                input=0,
            )
        return (TensorType(target, kind.shape, kind.quantization),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder import tir

        source, target = use.inputs[0].element, outputs[0].element

        def converted(x: Any) -> Any:
            if target in FLOATS:
                return tir.cast(target.dtype, x)
            low, high = limits(target)
            if source in INTEGERS:
                held = limits(source)
                x = tir.maximum(x, tir.literal(source.dtype, max(low, held[0])))
                return tir.cast(target.dtype, tir.minimum(x, tir.literal(source.dtype, min(high, held[1]))))
            wide = ElementType(f"{target.value[0]}{64 if target.bytes == 8 else 32}")
            bounds = (tir.literal(wide.dtype, low), tir.literal(wide.dtype, high))
            name = f"rune_{wide.value}_from_{source.value}"
            return tir.cast(target.dtype, tir.pure_call(wide.dtype, name, x, *bounds))

        return [emit.elementwise(converted, inputs, self.name)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        (x,), target = inputs, outputs[0].element
        if target in FLOATS:
            with np.errstate(over="ignore"):
                return [x.astype(target.dtype)]
        low, high = limits(target)
        if x.dtype.kind == "f":
            x = np.nan_to_num(x.astype(np.float64), posinf=2.0**100, neginf=-(2.0**100))
        values = [min(max(int(value), low), high) for value in x.reshape(-1)]
        return [np.array(values, target.dtype).reshape(x.shape)]


def _target(use: BlockUse) -> ElementType:
    if "type" in use.arguments:
        return element_named(use.arguments["type"], "type")
    declared = declared_element(use)
    if declared is None or declared not in NUMBERS:
        raise TypeRuleError(
            "nothing says which type the output has",
            hint="declare it, as in PROC_BLOCK<_,F32[4]> name cast, or write --type f32",
        )
    return declared
