"""Element-wise operators, beside sums, products and activations, against TensorFlow Lite Micro or NumPy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest

from container.abi import Failure
from container.errors import CompileError, RuneError
from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro, run_ours
from tests.builder.operators.elementwise import (
    Case,
    Operand,
    assert_equal,
    binary,
    every,
    graph_of,
    of_values,
    quantization,
    quantized,
    scale_between,
)
from tests.builder.support import Array

COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
CASTS = [
    *(
        (a, b)
        for a in ("bool", "int8", "int16", "int32", "float32")
        for b in ("bool", "int8", "int16", "int32", "float32")
    ),
    ("int32", "uint32"),
    ("uint32", "int32"),
]
DTYPES = ("int8", "int16", "int32", "float32")


def extrema_and_squared_differences(random: Random) -> Sequence[Case]:
    extrema = [
        binary(random, builtin, dtype, one_quantization=True)
        for builtin in ("MAXIMUM", "MINIMUM")
        for dtype in DTYPES
    ]
    return [*extrema, *(binary(random, "SQUARED_DIFFERENCE", dtype) for dtype in DTYPES * 2)]


def test_extrema_and_squared_differences() -> None:
    assert_equal(extrema_and_squared_differences)


def comparisons_and_logic(random: Random) -> Sequence[Case]:
    kinds = [(name, dtype) for name in COMPARISONS for dtype in ("int8", "int32", "float32")]
    numbers = [binary(random, *kind, result="bool") for kind in kinds]
    masks = [binary(random, name, "bool") for name in ("EQUAL", "NOT_EQUAL", "LOGICAL_AND", "LOGICAL_OR")]
    mask = Operand((3, 5), "bool")
    return [*numbers, *masks, Case("LOGICAL_NOT", (mask,), mask)]


def test_comparisons_and_logic() -> None:
    assert_equal(comparisons_and_logic)


def test_comparisons_of_close_numbers() -> None:
    """All pairs of int8 at scales so fine that different numbers count as equal, and whole floats."""
    column, row = every("int8")[:, None], every("int8")
    fine = [Quantization((float(np.float32(scale)),), (zero,)) for scale, zero in ((0.003, 5), (0.0031, -7))]
    cases = []
    for dtype, (a, b) in (("int8", fine), ("float32", (None, None))):
        left = Operand(column.shape, dtype, a, column.astype(dtype))
        right = Operand(row.shape, dtype, b, row.astype(dtype))
        cases += [Case(name, (left, right), Operand((256, 256), "bool")) for name in COMPARISONS]
    assert_equal(lambda _: cases, models=1)


def functions_of_float32(random: Random) -> Sequence[Case]:
    positive = np.linspace(0.001, 30, 500).astype("float32")
    anything = ("ABS", "CEIL", "COS", "EXP", "FLOOR", "NEG", "SIN", "SQUARE")
    return [
        *(of_values(name, every("float32")) for name in anything),
        *(of_values(name, positive) for name in ("LOG", "SQRT", "RSQRT")),
        of_values("ROUND", np.arange(-4.5, 5.0, 0.25).astype("float32")),
        *(binary(random, name, "float32") for name in ("DIV", "FLOOR_DIV", "FLOOR_MOD")),
    ]


def test_functions_of_float32() -> None:
    """ROUND sees ties."""
    assert_equal(functions_of_float32)


def test_quotients_just_below_a_whole_number_are_rounded_down() -> None:
    """In float32 many of these quotients are that number; the reference divides in double precision."""
    b = np.linspace(1, 2, 300).astype("float32")
    a = np.nextafter(b * np.float32(7), np.float32(0))
    operands = (Operand(a.shape, "float32", None, a), Operand(b.shape, "float32", None, b))
    cases = [Case(name, operands, Operand(a.shape, "float32")) for name in ("FLOOR_DIV", "FLOOR_MOD")]
    assert_equal(lambda _: cases, models=1)


def magnitudes(random: Random) -> Sequence[Case]:
    cases = [of_values("ABS", every("int16"))]
    for _ in range(3):
        for dtype in ("int8", "int16"):
            x, y = quantized(random, dtype), quantized(random, dtype)
            values = every(dtype)
            cases.append(of_values("ABS", values, x, y))
            cases.append(of_values("RSQRT", values[values >= x.zero_point[0]], x, y))
    return cases


def test_absolute_values_and_inverse_square_roots() -> None:
    """ABS of every number, RSQRT of all from the zero point."""
    assert_equal(magnitudes)


def prelu(random: Random, dtype: str) -> Case:
    shape, alpha = (1, 3, 4, 5), random.choice([(5,), (1, 1, 5), (3, 4, 5), (1, 1, 1)])
    alpha_dtype = "int8" if dtype == "int16" else dtype
    x = Operand(shape, dtype, quantization(random, dtype))
    slope = Operand(alpha, alpha_dtype, quantization(random, alpha_dtype))
    return Case("PRELU", (x, slope), Operand(shape, dtype, quantization(random, dtype)))


def test_prelu() -> None:
    assert_equal(lambda random: [prelu(random, dtype) for dtype in ("int8", "int16", "float32") * 3])


def select(random: Random, dtype: str, shapes: Sequence[tuple[int, ...]]) -> Case:
    condition, *values = shapes
    kind = quantization(random, dtype)
    result = Operand(tuple(np.broadcast_shapes(*shapes)), dtype, kind)
    return Case("SELECT_V2", (Operand(condition, "bool"), *(Operand(v, dtype, kind) for v in values)), result)


def test_select_and_cast() -> None:
    shapes = (((3, 4),) * 3, ((1,), (2, 3), (2, 3)), ((2, 1, 3), (4, 3), (1,)), ((), (5,), (5,)))
    casts = [Case("CAST", (Operand((40,), source),), Operand((40,), target)) for source, target in CASTS]
    dtypes = ("int8", "int16", "float32")
    assert_equal(lambda random: [*casts, *(select(random, d, s) for d in dtypes for s in shapes)], models=1)


def test_quotients_of_int32() -> None:
    generator = np.random.default_rng(1)
    a = generator.integers(-(2**31), 2**31, 2000).astype("int32")
    magnitude = (generator.integers(1, 2**31, 2000) >> generator.integers(0, 31, 2000)).clip(1)
    b = (magnitude * generator.choice([-1, 1], 2000)).astype("int32")
    operands = (Operand((2000,), "int32", None, a), Operand((2000,), "int32", None, b))
    result = Operand((2000,), "int32")
    cases = [Case("DIV", operands, result, {"fused_activation_function": number}) for number in range(4)]
    assert_equal(lambda _: cases, models=1)


def int8_quotient(random: Random) -> Case:
    """Every dividend by every divisor but 0."""
    a, b = quantized(random, "int8"), quantized(random, "int8")
    y = Quantization((a.scale[0] / b.scale[0] * scale_between(random, 1e-4, 1 / 64),), b.zero_point)
    divisors = np.setdiff1d(every("int8"), b.zero_point).astype("int8")
    left, right = np.broadcast_arrays(every("int8")[:, None], divisors)
    operands = (Operand(left.shape, "int8", a, left.copy()), Operand(left.shape, "int8", b, right.copy()))
    return Case("DIV", operands, Operand(left.shape, "int8", y))


def test_quotients_of_int8() -> None:
    assert_equal(lambda random: [int8_quotient(random) for _ in range(4)])


def test_operators_that_the_reference_lacks() -> None:
    """int32 division rounds down as NumPy's, powers and bounds are real; SELECT may choose whole rows."""
    integer, real, rows = Operand((4,), "int32"), Operand((4,), "float32"), Operand((2, 2), "int8")
    a, b = np.array([7, -7, 7, -7], "int32"), np.array([2, 2, -2, -2], "int32")
    x = np.array([-3, -0.5, 0.5, 3], "float32")
    bases, exponents = np.array([2, 9, 0.5, 1], "float32"), np.array([10, 0.5, -3, 7], "float32")
    choice = [np.array([1, 0], "int8"), np.full((2, 2), 5, "int8"), np.full((2, 2), 9, "int8")]
    expected: list[tuple[Case, list[Array], list[Any]]] = [
        (Case("FLOOR_DIV", (integer, integer), integer), [a, b], [3, -4, -4, 3]),
        (Case("FLOOR_MOD", (integer, integer), integer), [a, b], [1, 1, -1, -1]),
        (Case("POW", (real, real), real), [bases, exponents], [1024, 3, 8, 1]),
        (Case("RELU_N1_TO_1", (real,), real), [x], [-1, -0.5, 0.5, 1]),
        (Case("RELU_0_TO_1", (real,), real), [x], [0, 0, 0.5, 1]),
        (Case("SELECT", (Operand((2,), "bool"), rows, rows), rows), choice, [[5, 5], [9, 9]]),
    ]
    model, _ = graph_of([case for case, _, _ in expected])
    for results in run_ours(model, [[value for _, inputs, _ in expected for value in inputs]]).values():
        for found, (case, _, wanted) in zip(results[0], expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6, err_msg=case.builtin)


def test_operators_of_constants_alone() -> None:
    """What is not folded when building is computed when running; the builder has no way to run kernels."""
    graph, scale = Graph("constants"), Quantization((0.05,), (3,))
    a = graph.constant("a", np.arange(4, dtype="int8"), scale)
    product = graph.tensor("product", (4,), "int8", scale)
    graph.operator("MUL", [a, a], [product])
    total = graph.tensor("total", (4,), "int8", scale)
    graph.operator("ADD", [product, graph.input("x", (4,), "int8", scale)], [total])
    graph.output(total)
    assert_equals_tflite_micro(graph.to_bytes(), [[np.array([1, -2, 3, 100], "int8")]])


@pytest.mark.parametrize(
    ("builtin", "dtype", "divisor"), [("DIV", "int32", 0), ("DIV", "int8", 3), ("FLOOR_DIV", "float32", 0)]
)
def test_division_by_zero_fails_the_stage(builtin: str, dtype: str, divisor: int) -> None:
    """An int8 divisor is zero at its zero point."""
    x, y = (Quantization((0.5,), (3,)), Quantization((0.001,), (0,))) if dtype == "int8" else (None, None)
    operand = Operand((2,), dtype, x)
    model, _ = graph_of([Case(builtin, (operand, operand), Operand((2,), dtype, y))])
    inputs = [np.array([5, 6], dtype), np.array([1, divisor], dtype)]
    with pytest.raises(RuneError, match=Failure.VALUE.message):
        run_ours(model, [inputs])


TENTH = Quantization((0.1,), (0,))
OFFSET = Quantization((0.1,), (5,))


@pytest.mark.parametrize(
    ("builtin", "operands", "message"),
    [
        (
            "ADD",
            (Operand((2, 3), "float32"), Operand((2,), "float32"), Operand((2, 3), "float32")),
            r"inputs of \[2, 3\] and \[2\] do not broadcast",
        ),
        (
            "ADD",
            (Operand((3,), "float32"), Operand((1,), "float32"), Operand((1,), "float32")),
            r"output 'y' is \[1\], but from its inputs follows \[3\]",
        ),
        ("ABS", (Operand((3,), "int32"), Operand((3,), "int32")), "supported: .*int8"),
        ("ADD", (Operand((3,), "int8"),) * 3, "has no quantisation"),
        ("MAXIMUM", (*(Operand((3,), "int8", TENTH),) * 2, Operand((3,), "int8", OFFSET)), "another quant"),
        ("MUL", (Operand((3,), "int16", OFFSET),) * 3, "zero point other than 0"),
        ("DIV", (Operand((3,), "int8", TENTH),) * 3, "keep the division in float32"),
    ],
)
def test_what_cannot_be_exact_is_refused(builtin: str, operands: Sequence[Operand], message: str) -> None:
    *inputs, output = operands
    model, _ = graph_of([Case(builtin, tuple(inputs), output)])
    with pytest.raises(CompileError) as refusal:
        run_ours(model, [])
    assert re.search(message, f"{refusal.value} {refusal.value.hint}")
