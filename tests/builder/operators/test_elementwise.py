"""Element-wise operators, beside sums, products and activations, against TensorFlow Lite Micro or NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import strategies as st

from container.tensors import Quantization
from tests.builder.model_runs import assert_equals_tflite_micro, run_ours
from tests.builder.operators.elementwise import (
    SCALES,
    Case,
    Operand,
    assert_equal,
    binary,
    graph_of,
    quantizations,
    samples,
    twelve,
    unary,
)
from tests.builder.support import Array

COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
CAST_PAIRS = [
    *(
        (a, b)
        for a in ("bool", "int8", "int16", "int32", "float32")
        for b in ("bool", "int8", "int16", "int32")
    ),
    *((a, "float32") for a in ("bool", "int8", "int16", "int32", "float32")),
    ("int32", "uint32"),
    ("uint32", "int32"),
]


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32"])
def test_extrema_and_squared_differences(dtype: str) -> None:
    extrema = binary(("MAXIMUM", "MINIMUM"), dtype, one_quantization=True)
    assert_equal(twelve(st.one_of(extrema, binary(("SQUARED_DIFFERENCE",), dtype))), examples=1)


def test_comparisons_and_logic() -> None:
    numbers = [binary((name,), dtype, result="bool") for name in COMPARISONS for dtype in ("int8", "int32")]
    floats = [binary((name,), "float32", result="bool") for name in COMPARISONS]
    masks = [binary((name,), "bool") for name in ("EQUAL", "NOT_EQUAL", "LOGICAL_AND", "LOGICAL_OR")]
    assert_equal(st.tuples(*numbers, *floats, *masks, unary("LOGICAL_NOT", "bool")), examples=1)


def test_comparisons_of_close_floats_and_of_int8_at_one_scale() -> None:
    """Equal numbers occur: small int8 ones of one scale, and floats that are whole."""
    generator = np.random.default_rng(3)
    whole = [generator.integers(-2, 3, (40,)) for _ in range(2)]
    cases = []
    for dtype, quantization in (("int8", Quantization((0.25,), (0,))), ("float32", None)):
        operands = [Operand((40,), dtype, quantization, values.astype(dtype)) for values in whole]
        cases += [Case(name, tuple(operands), Operand((40,), "bool")) for name in COMPARISONS]
    model, operands = graph_of(cases)
    assert_equals_tflite_micro(model, samples(operands, 0))


def test_functions_of_float32() -> None:
    anything = ("ABS", "CEIL", "COS", "EXP", "FLOOR", "NEG", "ROUND", "SIN", "SQUARE")
    cases = [unary(name, "float32") for name in anything]
    cases += [binary((name,), "float32") for name in ("DIV", "FLOOR_DIV", "FLOOR_MOD")]
    assert_equal(st.tuples(*cases), examples=1)


def test_functions_of_positive_float32_and_ties() -> None:
    positive = np.linspace(0.001, 30, 500).astype("float32")
    halves = np.arange(-4.5, 5.0, 0.5).astype("float32")
    cases = [_of_values(name, positive) for name in ("LOG", "SQRT", "RSQRT")]
    model, operands = graph_of([*cases, _of_values("ROUND", halves)])
    assert_equals_tflite_micro(model, samples(operands, 0))


def _of_values(
    builtin: str, values: Array, x: Quantization | None = None, y: Quantization | None = None
) -> Case:
    dtype = str(values.dtype)
    return Case(builtin, (Operand(values.shape, dtype, x, values),), Operand(values.shape, dtype, y))


@st.composite
def magnitudes(draw: st.DrawFn) -> Sequence[Case]:
    """ABS of every number, RSQRT of all from the zero point."""
    cases = []
    for _ in range(3):
        x, y = draw(quantizations("int8")), draw(quantizations("int8"))
        cases.append(_of_values("ABS", np.arange(-128, 128).astype("int8"), x, y))
        cases.append(_of_values("RSQRT", np.arange(x.zero_point[0], 128).astype("int8"), x, y))
        x, y = draw(quantizations("int16")), draw(quantizations("int16"))
        cases.append(_of_values("ABS", np.arange(-32768, 32768).astype("int16"), x, y))
        cases.append(_of_values("RSQRT", np.arange(32768).astype("int16"), x, y))
    return [*cases, _of_values("ABS", np.arange(-32768, 32768).astype("int16"))]


def test_absolute_values_and_inverse_square_roots() -> None:
    assert_equal(magnitudes(), examples=1)


@st.composite
def prelu(draw: st.DrawFn, dtype: str) -> Case:
    shape, alpha = (1, 3, 4, 5), draw(st.sampled_from([(5,), (1, 1, 5), (3, 4, 5), (1, 1, 1)]))
    alpha_dtype = "int8" if dtype == "int16" else dtype
    x, y = Operand(shape, dtype, draw(quantizations(dtype))), draw(quantizations(alpha_dtype))
    return Case(
        "PRELU", (x, Operand(alpha, alpha_dtype, y)), Operand(shape, dtype, draw(quantizations(dtype)))
    )


def test_prelu() -> None:
    assert_equal(st.tuples(*(prelu(dtype) for dtype in ("int8", "int16", "float32") * 3)))


@st.composite
def select(draw: st.DrawFn, dtype: str) -> Case:
    shapes = draw(
        st.sampled_from([((3, 4),) * 3, ((1,), (2, 3), (2, 3)), ((2, 1, 3), (4, 3), (1,)), ((), (5,), (5,))])
    )
    quantization = draw(quantizations(dtype))
    condition, a, b = shapes
    values = tuple(Operand(shape, dtype, quantization) for shape in (a, b))
    result = Operand(tuple(np.broadcast_shapes(*shapes)), dtype, quantization)
    return Case("SELECT_V2", (Operand(condition, "bool"), *values), result)


def test_select() -> None:
    assert_equal(st.tuples(*(select(dtype) for dtype in ("int8", "int16", "float32") * 3)), examples=1)


def test_casts() -> None:
    cases = [Case("CAST", (Operand((40,), source),), Operand((40,), target)) for source, target in CAST_PAIRS]
    model, operands = graph_of(cases)
    assert_equals_tflite_micro(model, samples(operands, 7))


def test_quotients_of_int32() -> None:
    generator = np.random.default_rng(1)
    a = generator.integers(-(2**31), 2**31, 2000).astype("int32")
    b = (generator.integers(1, 2**31, 2000) >> generator.integers(0, 31, 2000)).clip(1) * generator.choice(
        [-1, 1], 2000
    )
    operands = (Operand((2000,), "int32", None, a), Operand((2000,), "int32", None, b.astype("int32")))
    cases = [
        Case("DIV", operands, Operand((2000,), "int32"), {"fused_activation_function": n}) for n in range(4)
    ]
    model, inputs = graph_of(cases)
    assert_equals_tflite_micro(model, samples(inputs, 0))


@st.composite
def int8_quotient(draw: st.DrawFn) -> Case:
    """Every dividend by every divisor but 0."""
    a, b = (draw(quantizations("int8")) for _ in range(2))
    largest = a.scale[0] / b.scale[0] / 64
    y = draw(quantizations("int8", SCALES.map(lambda scale: float(np.float32(scale * largest)))))
    divisors = np.setdiff1d(np.arange(-128, 128), b.zero_point).astype("int8")
    left, right = np.broadcast_arrays(np.arange(-128, 128).astype("int8")[:, None], divisors)
    operands = (Operand(left.shape, "int8", a, left.copy()), Operand(left.shape, "int8", b, right.copy()))
    return Case("DIV", operands, Operand(left.shape, "int8", y))


def test_quotients_of_int8() -> None:
    assert_equal(st.lists(int8_quotient(), min_size=4, max_size=4))


def ours(case: Case, inputs: Sequence[Array]) -> Array:
    """The result of one operator, which both profiles must agree on."""
    model, _ = graph_of([case])
    simd, mcu = run_ours(model, [list(inputs)]).values()
    np.testing.assert_array_equal(simd[0][0], mcu[0][0])
    return simd[0][0]


@pytest.mark.parametrize(
    ("builtin", "expected"), [("FLOOR_DIV", [3, -4, -4, 3]), ("FLOOR_MOD", [1, 1, -1, -1])]
)
def test_floor_division_of_int32_rounds_down(builtin: str, expected: list[int]) -> None:
    operand = Operand((4,), "int32")
    a, b = np.array([7, -7, 7, -7], "int32"), np.array([2, 2, -2, -2], "int32")
    assert ours(Case(builtin, (operand, operand), operand), [a, b]).tolist() == expected


def test_power() -> None:
    operand = Operand((3,), "float32")
    a, b = np.array([2, 9, 0.5], "float32"), np.array([10, 0.5, -3], "float32")
    found = ours(Case("POW", (operand, operand), operand), [a, b])
    np.testing.assert_allclose(found, [1024, 3, 8], rtol=1e-6)


@pytest.mark.parametrize(
    ("builtin", "expected"), [("RELU_N1_TO_1", [-1, -0.5, 0.5, 1]), ("RELU_0_TO_1", [0, 0, 0.5, 1])]
)
def test_bounded_rectifiers(builtin: str, expected: list[float]) -> None:
    operand = Operand((4,), "float32")
    assert (
        ours(Case(builtin, (operand,), operand), [np.array([-3, -0.5, 0.5, 3], "float32")]).tolist()
        == expected
    )


def test_select_takes_a_condition_for_each_row() -> None:
    value = Operand((2, 3), "int8")
    case = Case("SELECT", (Operand((2,), "bool"), value, value), value)
    rows = [np.array([1, 0], "int8"), np.full((2, 3), 5, "int8"), np.full((2, 3), 9, "int8")]
    assert ours(case, rows).tolist() == [[5, 5, 5], [9, 9, 9]]
