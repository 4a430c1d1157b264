"""Element-wise operators with random parameters, many to a model so that one build tests them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
SCALES = st.floats(0.002, 0.2).map(lambda value: float(np.float32(value)))
ACTIVATIONS = st.sampled_from(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"]).map(
    lambda name: int(getattr(tflite.ActivationFunctionType, name))
)
RELU = int(tflite.ActivationFunctionType.RELU)


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


def twelve(case: st.SearchStrategy[Case]) -> st.SearchStrategy[list[Case]]:
    """As many cases as one model holds well."""
    return st.lists(case, min_size=12, max_size=12)


def assert_equal(models: st.SearchStrategy[Sequence[Case]], *, examples: int = 2) -> None:
    """Holds models, each of several cases, against the reference, in both profiles."""

    # A failing example names its operator by its position; shrinking would build models for minutes.
    @settings(max_examples=examples, phases=(Phase.explicit, Phase.reuse, Phase.generate))
    @given(models, st.integers(0, 2**32 - 1))
    def check(cases: Sequence[Case], seed: int) -> None:
        model, operands = graph_of(cases)
        assert_equals_tflite_micro(model, samples(operands, seed))

    check()


def graph_of(cases: Sequence[Case]) -> tuple[bytes, list[Operand]]:
    """A model of the cases, and what it takes."""
    graph = Graph("elementwise")
    operands = [operand for case in cases for operand in case.add(graph)]
    return graph.to_bytes(), operands


def samples(operands: Sequence[Operand], seed: int, count: int = 8) -> list[list[Array]]:
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


def quantizations(dtype: str, scales: st.SearchStrategy[float] = SCALES) -> st.SearchStrategy[Any]:
    """Scale and zero point of an int8 tensor, or of a symmetric int16 one; none of others."""
    if dtype not in ("int8", "int16"):
        return st.none()
    zeros = st.integers(-128, 127) if dtype == "int8" else st.just(0)
    return st.builds(lambda scale, zero: Quantization((scale,), (zero,)), scales, zeros)


@st.composite
def binary(
    draw: st.DrawFn,
    builtins: Sequence[str],
    dtype: str,
    *,
    result: str | None = None,
    activation: bool = False,
    one_quantization: bool = False,
) -> Case:
    """An operator of two tensors; all three tensors may have to share their quantisation."""
    a, b = draw(st.sampled_from(SHAPES))
    if draw(st.booleans()):
        a, b = b, a
    kinds = [quantizations(dtype), quantizations(dtype), quantizations(result or dtype)]
    x, y, z = (draw(kinds[0]),) * 3 if one_quantization else (draw(kind) for kind in kinds)
    shape = tuple(int(size) for size in np.broadcast_shapes(a, b))
    options = {"fused_activation_function": draw(ACTIVATIONS)} if activation else {}
    output = Operand(shape, result or dtype, z)
    return Case(
        draw(st.sampled_from(builtins)), (Operand(a, dtype, x), Operand(b, dtype, y)), output, options
    )


@st.composite
def unary(draw: st.DrawFn, builtin: str, dtype: str) -> Case:
    x, y = draw(quantizations(dtype)), draw(quantizations(dtype))
    return Case(builtin, (Operand((3, 50), dtype, x),), Operand((3, 50), dtype, y))
