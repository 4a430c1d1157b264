"""Softmax as calls of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builder.operators.base import shape_of
from builder.operators.quantize import float32_bits
from builder.operators.softmax import DIFFERENCE_INTEGER_BITS, Softmax, int16_tables
from tests.builder.kernels.calls import Bind, Express
from tests.builder.kernels.vectors import Array, Case


def rows(case: Case) -> tuple[Array, ...]:
    return (case.array("input").reshape(case.integer("NUM_ROWS"), case.integer("ROW_SIZE")),)


def softmax(case: Case) -> Express:
    def express(bind: Bind, inputs: Sequence[Any]) -> Any:
        (x,) = inputs
        dtype = case.array("output_ref").dtype.name
        if dtype == "float32":
            return Softmax().call([x], {"beta": float32_bits(1.0)}, shape_of(x), dtype)
        multiplier, shift = case.integer("INPUT_MULT", "MULT"), case.integer("INPUT_LEFT_SHIFT", "SHIFT")
        if case.array("input").dtype.name == "int16":
            scaling: dict[str, int | str] = {"multiplier": multiplier, "shift": shift}
            return Softmax().call([x, *int16_tables()], scaling, shape_of(x), dtype)
        return Softmax().quantised(x, 1.0, input_scale(multiplier, shift), dtype)

    return express


def input_scale(multiplier: int, shift: int) -> float:
    """The scale from which the multiplier and the shift of an int8 softmax follow."""
    return multiplier * 2.0 ** (shift - 31) / (1 << (31 - DIFFERENCE_INTEGER_BITS))
