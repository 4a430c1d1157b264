"""Arithmetic with broadcasting against TensorFlow Lite Micro."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from container.errors import CompileError
from tests.builder.model_runs import run_ours
from tests.builder.operators.elementwise import RELU, Case, Operand, assert_equal, binary, graph_of


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_sums_and_products(dtype: str) -> None:
    assert_equal(binary(("ADD", "SUB", "MUL"), dtype, activation=True))


def test_sums_and_products_of_plain_integers_wrap() -> None:
    activated = binary(("SUB", "MUL"), "int32", activation=True)
    assert_equal(st.one_of(binary(("ADD",), "int32"), activated))


def test_an_activation_that_the_reference_leaves_out_is_refused() -> None:
    x = Operand((2,), "int32")
    model, _ = graph_of([Case("ADD", (x, x), x, {"fused_activation_function": RELU})])
    with pytest.raises(CompileError, match="fused RELU on int32"):
        run_ours(model, [])
