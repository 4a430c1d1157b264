"""Activation functions against TensorFlow Lite Micro: of every int8 and every int16."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from container.tensors import Quantization
from tests.builder.operators.elementwise import (
    Case,
    Operand,
    assert_equal,
    quantizations,
)

EVERY = {
    "int8": np.arange(-128, 128).astype("int8"),
    "int16": np.arange(-32768, 32768).astype("int16"),
    "float32": np.linspace(-20, 20, 999).astype("float32"),
}
WIDE_SCALES = st.floats(1e-5, 2.0).map(lambda value: float(np.float32(value)))
FIXED_RESULTS = {
    ("LOGISTIC", "int8"): Quantization((1 / 256,), (-128,)),
    ("LOGISTIC", "int16"): Quantization((2.0**-15,), (0,)),
    ("TANH", "int8"): Quantization((1 / 128,), (0,)),
    ("TANH", "int16"): Quantization((2.0**-15,), (0,)),
}
"""Quantisation that an operator asks of its output."""
SAME_ON_BOTH_SIDES = ("RELU6",)
BUILTINS = {
    "int8": ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "ELU", "HARD_SWISH"),
    "int16": ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU"),
    "float32": ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "ELU", "HARD_SWISH"),
}
ALPHAS = st.sampled_from([0.01, 0.3, 1.5, -0.5, 0.0])


@st.composite
def activation(draw: st.DrawFn, builtin: str, dtype: str) -> Case:
    values = EVERY[dtype]
    x = draw(quantizations(dtype, st.one_of(WIDE_SCALES, st.sampled_from([2.0**-12, 2.0**-11]))))
    y = FIXED_RESULTS.get((builtin, dtype)) or draw(quantizations(dtype))
    if builtin in SAME_ON_BOTH_SIDES:
        y = x
    if builtin == "HARD_SWISH" and x is not None and y is not None:
        y = Quantization((min(max(y.scale[0], x.scale[0] / 100), x.scale[0] * 200),), y.zero_point)
    options = {"alpha": draw(ALPHAS)} if builtin == "LEAKY_RELU" else {}
    output = Operand(values.shape, dtype, y)
    return Case(builtin, (Operand(values.shape, dtype, x, values=values),), output, options)


@pytest.mark.parametrize("dtype", BUILTINS)
def test_functions_of_every_value(dtype: str) -> None:
    several = st.tuples(*(activation(builtin, dtype) for builtin in BUILTINS[dtype]))
    assert_equal(several, examples=2)
