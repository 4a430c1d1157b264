"""Arithmetic with broadcasting against TensorFlow Lite Micro."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from container.errors import CompileError
from container.tensors import Quantization
from tests.builder.model_runs import assert_equals_tflite_micro, run_ours
from tests.builder.operators.elementwise import RELU, Case, Operand, assert_equal, binary, graph_of, twelve


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_sums_and_products(dtype: str) -> None:
    assert_equal(twelve(binary(("ADD", "SUB", "MUL"), dtype, activation=True)))


@pytest.mark.parametrize("builtin", ["ADD", "SUB"])
def test_sums_compute_their_factors_in_double_precision(builtin: str) -> None:
    """Inputs that cancel, seen at a fine output scale: a factor in float32 changes thousands of steps."""
    generator = np.random.default_rng(5)
    scales = [float(np.float32(scale)) for scale in (0.3141592, 0.8765432)]
    a = generator.integers(-8000, 8000, 2000, "int16")
    b = np.rint(a * (scales[0] / scales[1])).astype("int16") * np.int16(-1 if builtin == "ADD" else 1)
    operands = [Operand((2000,), "int16", Quantization((scale,), (0,))) for scale in scales]
    output = Operand((2000,), "int16", Quantization((float(np.float32(scales[1] / 15000)),), (0,)))
    model, _ = graph_of([Case(builtin, tuple(operands), output)])
    assert_equals_tflite_micro(model, [[a, b]])


def test_sums_and_products_of_plain_integers_wrap() -> None:
    activated = binary(("SUB", "MUL"), "int32", activation=True)
    assert_equal(twelve(st.one_of(binary(("ADD",), "int32"), activated)))


def test_an_activation_that_the_reference_leaves_out_is_refused() -> None:
    x = Operand((2,), "int32")
    model, _ = graph_of([Case("ADD", (x, x), x, {"fused_activation_function": RELU})])
    with pytest.raises(CompileError, match="fused RELU on int32"):
        run_ours(model, [])
