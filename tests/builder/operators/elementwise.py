"""Element-wise operators with random parameters, many to a model so that one build tests them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

import numpy as np
import tflite
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro
from tests.builder.support import Array

SHAPES = (
    ((1, 3, 4, 5), (1, 3, 4, 5)),
    ((1, 3, 4, 5), (1, 1, 1, 5)),
    ((2, 3, 4), (3, 1)),
    ((1, 1), (1, 7)),
    ((6,), (6,)),
    ((), (9,)),
    ((1, 2, 1, 3), (1, 1, 4, 1)),
)
"""Pairs that broadcast."""
ACTIVATIONS = tuple(
    int(getattr(tflite.ActivationFunctionType, name)) for name in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
)
RELU = ACTIVATIONS[1]


@dataclass(frozen=True)
class Operand:
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    values: Array | None = None
    """What is to be tried, in the operand's shape; random numbers of the whole range otherwise."""


@dataclass(frozen=True)
class Case:
    """One operator.  A bool tensor is made from an int8 input, or read as an int8 output, by a CAST."""

    builtin: str
    inputs: tuple[Operand, ...]
    output: Operand
    options: Mapping[str, Any] = field(default_factory=dict)

    def add(self, graph: Graph) -> list[Operand]:
        """Adds it to a graph; returns the graph's new inputs."""
        y = graph.tensor("y", self.output.shape, self.output.dtype, self.output.quantization)
        numbers = [_input(graph, operand) for operand in self.inputs]
        graph.operator(self.builtin, numbers, [y], **self.options)
        if self.output.dtype == "bool":
            mask = y
            y = graph.tensor("as_int8", self.output.shape, "int8")
            graph.operator("CAST", [mask], [y])
        graph.output(y)
        return list(self.inputs)


def _input(graph: Graph, operand: Operand) -> int:
    if operand.dtype != "bool":
        return graph.input("x", operand.shape, operand.dtype, operand.quantization)
    number = graph.tensor("mask", operand.shape, "bool")
    graph.operator("CAST", [graph.input("x", operand.shape, "int8")], [number])
    return number


Cases: TypeAlias = Callable[[Random], Sequence[Case]]
"""Makes the operators of a model."""


def assert_equal(cases: Cases, *, models: int = 2) -> None:
    """Holds models against the reference, in both profiles: one that is always the same, then random ones."""

    # Without shrinking, which would build models for minutes: the seed and the operator's position tell all.
    @settings(max_examples=models, phases=(Phase.explicit, Phase.reuse, Phase.generate), database=None)
    @given(st.integers(0, 2**32 - 1))
    def check(seed: int) -> None:
        model, operands = graph_of(cases(Random(seed)))
        assert_equals_tflite_micro(model, samples(operands, seed))

    check()


def graph_of(cases: Sequence[Case]) -> tuple[bytes, list[Operand]]:
    """A model of the cases, and what it takes."""
    graph = Graph("elementwise")
    operands = [operand for case in cases for operand in case.add(graph)]
    return graph.to_bytes(), operands


def samples(operands: Sequence[Operand], seed: int, count: int = 6) -> list[list[Array]]:
    """Random inputs of the whole range, and its ends; one sample where all values are given."""
    generator = np.random.default_rng(seed)
    if all(operand.values is not None for operand in operands):
        return [[operand.values for operand in operands if operand.values is not None]]
    random = [[_random(operand, generator) for operand in operands] for _ in range(count)]
    return [*random, *[[_end(operand, end) for operand in operands] for end in (0, 1)]]


def _random(operand: Operand, generator: np.random.Generator) -> Array:
    if operand.values is not None:
        return operand.values
    if operand.dtype == "bool":
        return generator.integers(0, 2, operand.shape, "int8")
    if operand.dtype == "float32":
        return np.asarray(generator.normal(0, 4, operand.shape), "float32")
    low, high = _limits(operand.dtype)
    return np.asarray(generator.integers(low, high, operand.shape, operand.dtype, endpoint=True))


def _end(operand: Operand, end: int) -> Array:
    if operand.values is not None:
        return operand.values
    if operand.dtype == "bool":
        return np.full(operand.shape, end, "int8")
    if operand.dtype == "float32":
        return np.full(operand.shape, (-20.0, 20.0)[end], "float32")
    return np.full(operand.shape, _limits(operand.dtype)[end], operand.dtype)


def _limits(dtype: str) -> tuple[int, int]:
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def scale_between(random: Random, low: float, high: float) -> float:
    """A float32; small ones are as likely as large ones."""
    return float(np.float32(np.exp(random.uniform(np.log(low), np.log(high)))))


def quantized(random: Random, dtype: str, low: float = 0.002, high: float = 0.2) -> Quantization:
    """Scale and zero point of an int8 tensor, or of a symmetric int16 one."""
    zero = random.randint(-128, 127) if dtype == "int8" else 0
    return Quantization((scale_between(random, low, high),), (zero,))


def quantization(random: Random, dtype: str) -> Quantization | None:
    """The same, or none where the dtype needs none."""
    return quantized(random, dtype) if dtype in ("int8", "int16") else None


def binary(
    random: Random,
    builtin: str,
    dtype: str,
    *,
    result: str | None = None,
    activation: bool = False,
    one_quantization: bool = False,
) -> Case:
    """An operator of two tensors; all three tensors may have to share their quantisation."""
    a, b = random.sample(random.choice(SHAPES), 2)
    x, y, z = (quantization(random, kind) for kind in (dtype, dtype, result or dtype))
    if one_quantization:
        y = z = x
    shape = tuple(int(size) for size in np.broadcast_shapes(a, b))
    options = {"fused_activation_function": random.choice(ACTIVATIONS)} if activation else {}
    operands = (Operand(a, dtype, x), Operand(b, dtype, y))
    return Case(builtin, operands, Operand(shape, result or dtype, z), options)


def of_values(
    builtin: str,
    values: Array,
    x: Quantization | None = None,
    y: Quantization | None = None,
    options: Mapping[str, float] | None = None,
) -> Case:
    """An operator of one tensor, on these values."""
    dtype = str(values.dtype)
    operand, result = Operand(values.shape, dtype, x, values), Operand(values.shape, dtype, y)
    return Case(builtin, (operand,), result, options or {})


def every(dtype: str) -> Array:
    """All numbers of an integer dtype; of float32 some from -20 to 20."""
    if dtype == "float32":
        return np.linspace(-20, 20, 999).astype("float32")
    low, high = _limits(dtype)
    return np.arange(low, high + 1).astype(dtype)
