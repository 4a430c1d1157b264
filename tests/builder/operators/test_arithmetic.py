"""Sums and products with broadcasting against TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from container.errors import CompileError
from container.tensors import Quantization
from tests.builder.model_runs import assert_equals_tflite_micro, run_ours
from tests.builder.operators.elementwise import RELU, Case, Operand, assert_equal, binary, graph_of, samples


def sums_and_products(random: Random) -> Sequence[Case]:
    kinds = [
        (builtin, dtype) for builtin in ("SUB", "MUL") for dtype in ("int8", "int16", "int32", "float32")
    ]
    kinds += [("ADD", dtype) for dtype in ("int8", "int16", "float32")]
    activated = [binary(random, *kind, activation=True) for kind in kinds * 2]
    return [*activated, binary(random, "ADD", "int32")]


def test_sums_and_products() -> None:
    """int32 wraps: inputs are of the whole range."""
    assert_equal(sums_and_products)


def test_sums_compute_their_factors_in_double_precision() -> None:
    """Inputs that cancel, seen at a fine output scale: a factor in float32 changes thousands of steps."""
    generator = np.random.default_rng(5)
    scales = [float(np.float32(scale)) for scale in (0.3141592, 0.8765432)]
    a = generator.integers(-8000, 8000, 2000, "int16")
    b = np.rint(a * (scales[0] / scales[1])).astype("int16")
    output = Operand((2000,), "int16", Quantization((float(np.float32(scales[1] / 15000)),), (0,)))
    cases = []
    for builtin, values in (("ADD", (a, -b)), ("SUB", (a, b))):
        left, right = (
            Operand((2000,), "int16", Quantization((scale,), (0,)), value)
            for scale, value in zip(scales, values, strict=True)
        )
        cases.append(Case(builtin, (left, right), output))
    model, operands = graph_of(cases)
    assert_equals_tflite_micro(model, samples(operands, 0))


def test_an_activation_that_the_reference_leaves_out_is_refused() -> None:
    x = Operand((2,), "int32")
    model, _ = graph_of([Case("ADD", (x, x), x, {"fused_activation_function": RELU})])
    with pytest.raises(CompileError, match="fused RELU on int32"):
        run_ours(model, [])
