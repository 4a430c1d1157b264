"""Activation functions against TensorFlow Lite Micro: of every int8 and every int16."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from container.errors import CompileError
from container.tensors import Quantization
from tests.builder.model_runs import run_ours
from tests.builder.operators.elementwise import (
    Case,
    assert_equal,
    every,
    graph_of,
    of_values,
    quantized,
    scale_between,
)

FIXED_RESULTS = {
    ("LOGISTIC", "int8"): Quantization((1 / 256,), (-128,)),
    ("LOGISTIC", "int16"): Quantization((2.0**-15,), (0,)),
    ("TANH", "int8"): Quantization((1 / 128,), (0,)),
    ("TANH", "int16"): Quantization((2.0**-15,), (0,)),
}
"""Quantisation that an operator asks of its output."""
BUILTINS = {
    "int8": ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "ELU", "HARD_SWISH"),
    "int16": ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU"),
    "float32": ("LOGISTIC", "TANH", "RELU", "RELU6", "LEAKY_RELU", "ELU", "HARD_SWISH"),
}


def activation(random: Random, builtin: str, dtype: str) -> Case:
    options = {"alpha": random.choice([0.01, 0.3, 1.5, -0.5, 0.0])} if builtin == "LEAKY_RELU" else {}
    if dtype == "float32":
        return of_values(builtin, every(dtype), options=options)
    x = quantized(random, dtype, 1e-5, 2.0)
    y = FIXED_RESULTS.get((builtin, dtype)) or quantized(random, dtype)
    if builtin == "RELU6":
        y = x
    if builtin == "HARD_SWISH":
        y = Quantization((x.scale[0] * scale_between(random, 0.01, 200),), y.zero_point)
    return of_values(builtin, every(dtype), x, y, options)


def activations(random: Random) -> Sequence[Case]:
    kinds = [(builtin, dtype) for dtype, builtins in BUILTINS.items() for builtin in builtins]
    return [activation(random, *kind) for kind in kinds]


def test_functions_of_every_value() -> None:
    assert_equal(activations, models=3)


def test_scales_near_powers_of_two_count_as_such() -> None:
    """int16 arguments in steps of nearly 2^-12 are taken for 2^-12; tanh's of nearly 2^-11 for 2^-11, too."""
    cases = [
        of_values(builtin, every("int16"), Quantization((scale,), (0,)), FIXED_RESULTS[builtin, "int16"])
        for builtin in ("LOGISTIC", "TANH")
        for scale in (float(np.float32(1.0005 * 2.0**exponent)) for exponent in (-11, -12, -13))
    ]
    assert_equal(lambda _: cases, models=1)


@pytest.mark.parametrize(
    ("builtin", "x", "y", "message"),
    [
        ("TANH", (0.1, 0), (0.1, 0), "expected scale 0.0078125, zero point 0"),
        ("LOGISTIC", (0.1, 0), (1 / 256, 0), "expected scale 0.00390625, zero point -128"),
        ("RELU6", (0.1, 0), (0.2, 0), "another quantisation than the output"),
        ("HARD_SWISH", (0.1, 0), (0.0001, 0), "scales too far apart"),
    ],
)
def test_results_that_no_reference_defines_are_refused(
    builtin: str, x: tuple[float, int], y: tuple[float, int], message: str
) -> None:
    source, target = (Quantization((float(np.float32(scale)),), (zero,)) for scale, zero in (x, y))
    model, _ = graph_of([of_values(builtin, every("int8"), source, target)])
    with pytest.raises(CompileError, match=message):
        run_ours(model, [])
