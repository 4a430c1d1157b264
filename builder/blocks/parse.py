"""From text to numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import NUMBERS, declared_element, element_named, limits, only_input
from container.abi import Failure
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind

_INTEGER = re.compile(rb"[\t-\r ]*([+-]?[0-9]+)[\t-\r ]*")
_FLOAT = re.compile(
    rb"[\t-\r ]*([+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan))[\t-\r ]*",
    re.IGNORECASE,
)
_NOT_A_NUMBER, _OUT_OF_RANGE = 1, 2
"""What the functions of `kernels/text.h` return."""


class Parse(Block):
    """The number that each text says, up to its first NUL, in the element type declared or given; without
    either F32.

    Integers are decimal digits with an optional sign.  Floats may have a point, an exponent, and be `inf`,
    `infinity` or `nan` in any case; the result is the nearest float, ties to even, however long the text;
    one too large is infinite.  White space around a number is allowed.  Any other text ends the inference
    with an error, and so does an integer that the type cannot hold.
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
        if "type" in use.arguments:
            element = element_named(use.arguments["type"], "type")
        else:
            declared = declared_element(use)
            element = declared if declared in NUMBERS else ElementType.F32
        return (TensorType(element, kind.shape),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from tvm import relax

        from builder import tir

        count, width = use.inputs[0].count, use.inputs[0].array_shape[-1]
        function = f"rune_parse_{outputs[0].element.value}"

        def body(x: Any, y: Any) -> None:
            with tir.loop(count) as i:
                arguments = (tir.address(x, i, 0), width, tir.address(y, i))
                status = tir.Cell("int32", tir.call("int32", function, *arguments))
                with tir.when(status.value == _NOT_A_NUMBER):
                    tir.fail(Failure.TEXT)
                with tir.when(status.value == _OUT_OF_RANGE):
                    tir.fail(Failure.VALUE)

        table = emit(relax.op.reshape(inputs[0], (count, width)), "reshape")
        return emit.kernel(body, [table], [TensorType(outputs[0].element, (count,))], self.name)

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        rows = inputs[0].reshape(-1, inputs[0].shape[-1])
        texts = [bytes(row).split(b"\0", 1)[0] for row in rows]
        element = outputs[0].element
        values = [_float(text, element) if element.is_float else _integer(text, element) for text in texts]
        return [np.array(values, element.dtype).reshape(outputs[0].shape)]


def _integer(text: bytes, element: ElementType) -> int:
    found = _INTEGER.fullmatch(text)
    low, high = limits(element)
    if not found or not low <= Decimal(found[1].decode()) <= high:
        raise ValueError(f"{text!r} is no {element}")
    return int(Decimal(found[1].decode()))


def _float(text: bytes, element: ElementType) -> float:
    found = _FLOAT.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no number")
    number = found[1].decode()
    return float(number) if element is ElementType.F64 else _nearest_f32(number)


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
