"""The remainder of a division, as angles and counters need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import NUMBERS, Number, number, only_input, plain, real, whole
from container.tensors import TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError

_SMALLEST_NORMAL = 2.0**-126
"""Of F32."""


class Modulo(Block):
    """Each element modulo `modulus`, in `0 <= y < modulus` also for negative elements: -90 modulo 360 is
    270.

    Floats: exact remainder, rounded once where `modulus` is added; a result that rounds up to `modulus`
    itself is 0.  NaN and infinite elements give NaN.  The output has the type of the input.
    """

    name = "modulo"
    summary = "the remainder of a division by `modulus`, never negative"
    example = "PROC_BLOCK<F32,F32> mod360 modulo --modulus 360"
    parameters = (
        Parameter("modulus", ParameterKind.NUMBER, "what to divide by, greater than 0", required=True),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = plain(only_input(use, NUMBERS), "computes remainders")
        if kind.element.is_integer:
            whole(_modulus(use), kind, "modulus")
        else:
            _check_float(_modulus(use), kind)
        return (kind,)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder import tir

        element = outputs[0].element
        if element.is_float:
            suffix = element.value
            c_name = {"f32": "fmodf", "f64": "fmod"}[suffix]
            modulus = tir.literal(element.dtype, float(_modulus(use)))

            def remainder(x: Any) -> Any:
                exact = tir.pure_call(element.dtype, c_name, x, modulus)
                return tir.pure_call(element.dtype, f"rune_wrap_{suffix}", exact, modulus)

        else:
            modulus = tir.literal(element.dtype, int(_modulus(use)))

            def remainder(x: Any) -> Any:
                rest = tir.truncated_modulo(x, modulus)
                return tir.select(rest < 0, rest + modulus, rest)

        return [emit.elementwise(remainder, inputs, "modulo")]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        (x,) = inputs
        modulus = x.dtype.type(_modulus(use))
        with np.errstate(invalid="ignore"):
            result = np.mod(x, modulus)
        return [np.where(result == modulus, x.dtype.type(0), result)]


def _check_float(modulus: Number, kind: TensorType) -> None:
    if real(modulus, kind, "modulus") < _SMALLEST_NORMAL:
        raise TypeRuleError(
            f"modulus is {modulus}, expected at least {_SMALLEST_NORMAL:.3g}", argument="modulus"
        )


def _modulus(use: BlockUse) -> Number:
    modulus = number(use, "modulus")
    if modulus is None or modulus <= 0:
        raise TypeRuleError(f"modulus is {modulus}, expected a number greater than 0", argument="modulus")
    return modulus
