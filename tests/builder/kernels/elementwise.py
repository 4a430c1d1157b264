"""Sums, products, larger and smaller elements, and activations as calls of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from builder.families.elementwise import Binary, Unary
from builder.operators.add import Add
from builder.operators.base import constant, dtype_of, shape_of
from builder.operators.extremum import Extremum
from builder.operators.hard_swish import HardSwish
from builder.operators.leaky_relu import LeakyRelu
from builder.operators.mul import Mul
from builder.operators.quantize import float32_bits
from builder.operators.sigmoid import Logistic, Tanh
from tests.builder.kernels.calls import Bind, Express
from tests.builder.kernels.vectors import Array, Case
from tests.builder.kernels.windows import clipped

FLOAT = {"activation": "NONE"}
DIMENSIONS = ("BATCH", "HEIGHT", "WIDTH", "CHANNEL")
ACTIVATIONS: Mapping[str, type[Unary]] = {
    "hardswish": HardSwish,
    "leaky_relu": LeakyRelu,
    "sigmoid": Logistic,
    "tanh": Tanh,
}


def addition(case: Case) -> Express:
    attributes = {**_offsets(case), **_scaling(case, "a", "INPUT1"), **_scaling(case, "b", "INPUT2")}
    return _arithmetic(case, Add(), attributes)


def multiplication(case: Case) -> Express:
    return _arithmetic(case, Mul(), _offsets(case))


def batch_normalisation(case: Case) -> Express:
    """A factor and a summand for each channel."""

    def express(bind: Bind, inputs: Sequence[Any]) -> Any:
        (x,) = inputs
        factor, summand = constant(case.array("scale")), constant(case.array("bias"))
        product = bind(Mul().call([x, factor], FLOAT, shape_of(x), "float32"))
        return Add().call([product, summand], FLOAT, shape_of(x), "float32")

    return express


def extremum(case: Case) -> Express:
    shape = tuple(case.integer(f"OUTPUT_{name}") for name in DIMENSIONS)
    function = {"function": case.name.split("_")[0].upper()}
    return lambda bind, inputs: Extremum().call(inputs, function, shape, dtype_of(inputs[0]))


def extremum_operands(case: Case) -> tuple[Array, ...]:
    return tuple(
        case.array(f"input_tensor_{k}").reshape([case.integer(f"{name}_{k}") for name in DIMENSIONS])
        for k in (1, 2)
    )


def activation(case: Case, name: str) -> Express:
    """One of the functions of a case that holds the results of several."""
    alpha = {"alpha": float32_bits(case.number("LEAKY_RELU_PARAM"))} if name == "leaky_relu" else {}
    return lambda bind, inputs: ACTIVATIONS[name]().call(inputs, alpha, shape_of(inputs[0]), "float32")


def _arithmetic(case: Case, operator: Binary, attributes: dict[str, int | str]) -> Express:
    def express(bind: Bind, inputs: Sequence[Any]) -> Any:
        dtype, shape = case.array("input1").dtype.name, shape_of(inputs[0])
        if case.is_float:
            return clipped(case, bind(operator.call(inputs, FLOAT, shape, dtype)), "OUT_ACTIVATION")
        return operator.call(inputs, attributes, shape, dtype)

    return express


def _offsets(case: Case) -> dict[str, int | str]:
    if case.is_float:
        return {}
    return {
        "zero_a": -case.integer("INPUT1_OFFSET"),
        "zero_b": -case.integer("INPUT2_OFFSET"),
        "zero": case.integer("OUTPUT_OFFSET"),
        "low": case.integer("OUT_ACTIVATION_MIN"),
        "high": case.integer("OUT_ACTIVATION_MAX"),
        **_scaling(case, "y", "OUTPUT"),
    }


def _scaling(case: Case, name: str, stem: str) -> dict[str, int | str]:
    return {
        f"multiplier_{name}": case.integer(f"{stem}_MULT"),
        f"shift_{name}": case.integer(f"{stem}_SHIFT"),
    }
