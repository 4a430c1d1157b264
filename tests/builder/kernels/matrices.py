"""Products of matrices as calls of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builder.operators.base import dtype_of, shape_of
from builder.operators.batch_matmul import BatchMatMul
from builder.operators.transpose import Transpose
from tests.builder.kernels.calls import Bind, Express
from tests.builder.kernels.vectors import Array, Case
from tests.builder.kernels.windows import clipped

DIMENSIONS = ("BATCH", "HEIGHT", "ROWS", "COLS")


def operands(case: Case) -> tuple[Array, ...]:
    left, right = _shape(case, "LHS"), _shape(case, "RHS")
    if not case.is_float:
        return case.array("lhs_input_tensor").reshape(left), case.array("rhs_input_tensor").reshape(right)
    # Whatever the flags say, these are the two that have the dimension that is summed over first.
    left = left if case.flag("ADJ_X") else _swapped(left)
    right = _swapped(right) if case.flag("ADJ_Y") else right
    return case.array("lhs_transposed_tensor").reshape(left), case.array("rhs_input_tensor").reshape(right)


def batch_product(case: Case) -> Express:
    shape = _shape(case, "OUTPUT")

    def express(bind: Bind, inputs: Sequence[Any]) -> Any:
        left, right = inputs
        left = _transposed(bind, left) if case.is_float or case.flag("ADJ_X") else left
        right = _transposed(bind, right) if case.is_float or not case.flag("ADJ_Y") else right
        call = BatchMatMul().call([left, right], _numbers(case), shape, dtype_of(left))
        return clipped(case, bind(call), "ACTIVATION") if case.is_float else call

    return express


def _transposed(bind: Bind, x: Any) -> Any:
    return bind(Transpose().call([x], {"axes": [0, 1, 3, 2]}, _swapped(shape_of(x)), dtype_of(x)))


def _swapped(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[:2], shape[3], shape[2])


def _shape(case: Case, prefix: str) -> tuple[int, ...]:
    return tuple(case.integer(f"{prefix}_{dimension}") for dimension in DIMENSIONS)


def _numbers(case: Case) -> dict[str, int | str]:
    if case.is_float:
        return {}
    return {
        "zero_a": -case.integer("LHS_OFFSET"),
        "zero_b": -case.integer("RHS_OFFSET"),
        "multiplier": case.integer("OUTPUT_MULTIPLIER"),
        "shift": case.integer("OUTPUT_SHIFT"),
        "output_zero": case.integer("OUTPUT_OFFSET"),
        "low": case.integer("ACTIVATION_MIN"),
        "high": case.integer("ACTIVATION_MAX"),
    }
