"""Operators that move data as calls of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.operators.base import constant, dtype_of
from builder.operators.concatenation import Concatenation
from builder.operators.pad import Pad
from builder.operators.transpose import Transpose
from tests.builder.kernels.calls import Bind, Express
from tests.builder.kernels.vectors import Array, Case, cases

AXES = "NHWC"


def shape_named(case: Case, prefix: str, axes: str = AXES) -> tuple[int, ...]:
    return tuple(case.integer(f"{prefix}_{axis}") for axis in axes)


def image(case: Case) -> tuple[Array, ...]:
    return (case.array("input_tensor", "input").reshape(shape_named(case, "INPUT")),)


def padding(case: Case) -> Express:
    before, after = shape_named(case, "PRE_PAD"), shape_named(case, "POST_PAD")
    shape = np.add(shape_named(case, "INPUT"), np.add(before, after))
    value = case.number("PAD_VALUE")

    def express(bind: Bind, inputs: Sequence[Any]) -> Any:
        (x,) = inputs
        border = constant(np.array(value, dtype_of(x)))
        return Pad().call([x, border], {"before": list(before)}, tuple(map(int, shape)), dtype_of(x))

    return express


def halves(case: Case) -> tuple[Array, ...]:
    outer = shape_named(case, "INPUT", "NHW")
    return tuple(
        case.array(f"{side}_input").reshape(*outer, case.integer(f"{side.upper()}_C"))
        for side in ("lhs", "rhs")
    )


def concatenation(case: Case) -> Express:
    shape = (*shape_named(case, "INPUT", "NHW"), case.integer("OUTPUT_C"))
    return lambda bind, inputs: Concatenation().call(inputs, {"axis": 3}, shape, "float32")


def transposed(case: Case) -> tuple[Array, ...]:
    parameters = _permutation_case(case)
    shape = shape_named(parameters, "INPUT", AXES[: parameters.integer("NUM_DIMS")])
    return (case.array("input_tensor").reshape(shape),)


def transposition(case: Case) -> Express:
    parameters = _permutation_case(case)
    rank = parameters.integer("NUM_DIMS")
    shape = shape_named(parameters, "OUTPUT", AXES[:rank])
    axes = [parameters.integer(f"PERM_{k}") for k in range(rank)]
    return lambda bind, inputs: Transpose().call(inputs, {"axes": axes}, shape, dtype_of(inputs[0]))


def _permutation_case(case: Case) -> Case:
    """Where shape and permutation stand: integer cases have lost theirs, which the float case has."""
    return case if case.is_float else cases()[f"{case.name}_f32"]
