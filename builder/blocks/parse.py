"""From text to numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import NUMBERS, element_named, limits, only_input
from container.abi import Failure
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind

_INTEGER = re.compile(rb"[+-]?[0-9]+")
_FLOAT = re.compile(
    rb"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan)", re.IGNORECASE
)
_OUT_OF_RANGE = 2
"""Negative, what the functions of `kernels/text.h` return for a number that does not fit its type."""


class Parse(Block):
    """The numbers in the texts, in order, separated by white space; each text ends at its first NUL.

    The element type is the one declared or given, without either F32.  There must be as many numbers as the
    declared output has elements, or as the input has where none is declared.

    Integers are decimal digits with an optional sign.  Floats may have a point, an exponent, and be `inf`,
    `infinity` or `nan` in any case; the result is the nearest float, ties to even, however long the text; one
    too large is infinite.  Any other text ends the inference with an error, and so does an integer that the
    type cannot hold.
    """

    name = "parse"
    summary = "text to numbers"
    example = "PROC_BLOCK<UTF8[1],F32[1]> number parse"
    parameters = (
        Parameter(
            "type",
            ParameterKind.TEXT,
            "element type of the output",
            choices=tuple(element.value for element in NUMBERS),
        ),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        hint = "`utf8_decode` makes text of bytes; numbers need no parsing"
        kind = only_input(use, (ElementType.UTF8,), hint)
        declared = use.declared[0] if use.declared else None
        if "type" in use.arguments:
            element = element_named(use.arguments["type"], "type")
        else:
            element = declared.element if declared and declared.element in NUMBERS else ElementType.F32
        return (TensorType(element, declared.shape if declared else kind.shape),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from tvm import relax

        from builder import tir

        texts, width = use.inputs[0].count, use.inputs[0].array_shape[-1]
        count, function = outputs[0].count, f"rune_parse_words_{outputs[0].element.value}"

        def body(x: Any, y: Any) -> None:
            found = tir.Cell("int32", 0)
            with tir.loop(texts) as i:
                text, results = tir.address(x, i, 0), tir.address(y, 0)
                found.set(tir.call("int32", function, text, width, results, count, found.value))
                with tir.when(found.value == -_OUT_OF_RANGE):
                    tir.fail(Failure.VALUE)
                with tir.when(found.value < 0):
                    tir.fail(Failure.TEXT)
            with tir.when(found.value != count):
                tir.fail(Failure.TEXT)

        table = emit(relax.op.reshape(inputs[0], (texts, width)), "reshape")
        return emit.kernel(body, [table], [TensorType(outputs[0].element, (count,))], self.name)

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        rows = inputs[0].reshape(-1, inputs[0].shape[-1])
        words = [word for row in rows for word in bytes(row).split(b"\0", 1)[0].split()]
        element = outputs[0].element
        values = [_float(word, element) if element.is_float else _integer(word, element) for word in words]
        if len(values) != outputs[0].count:
            raise ValueError(f"{len(values)} numbers for {outputs[0]}")
        return [np.array(values, element.dtype).reshape(outputs[0].shape)]


def _integer(word: bytes, element: ElementType) -> int:
    low, high = limits(element)
    if not _INTEGER.fullmatch(word) or not low <= Decimal(word.decode()) <= high:
        raise ValueError(f"{word!r} is no {element}")
    return int(Decimal(word.decode()))


def _float(word: bytes, element: ElementType) -> float:
    if not _FLOAT.fullmatch(word):
        raise ValueError(f"{word!r} is no number")
    return float(word) if element is ElementType.F64 else _nearest_f32(word.decode())


def _nearest_f32(text: str) -> float:
    """The nearest F32: from the nearest F64, whose own rounding may have led to the wrong side of a tie."""
    double = float(text)
    if double == 0 or not math.isfinite(double):
        return double
    with np.errstate(over="ignore"):
        near = np.float32(double)
        is_above = Decimal(text) > Decimal(_finite(near))
        other = np.nextafter(near, np.float32(math.inf if is_above else -math.inf))
    middle = Decimal((_finite(near) + _finite(other)) / 2)
    is_past = Decimal(text) > middle if is_above else Decimal(text) < middle
    return float(other if is_past else near)


def _finite(value: np.float32) -> float:
    """For infinity the power of two at which floats round to it."""
    return float(value) if np.isfinite(value) else math.copysign(2.0**128, float(value))
