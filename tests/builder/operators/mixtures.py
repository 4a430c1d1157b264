"""Many random uses of several operators in one model, since a build costs far more than an operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro
from tests.builder.operators.graphs import QUANTIZATIONS, SCALES
from tests.builder.support import Array

Shape: TypeAlias = tuple[int, ...]
Values: TypeAlias = Callable[[np.random.Generator, str], Array]
"""Draws a value of one input; the second argument is one of `KINDS`."""
Add: TypeAlias = Callable[[Graph, np.random.Generator], list[Values]]
"""Adds one operator to a graph, its results as outputs, and tells what its inputs may be."""

KINDS = ("random", "random", "random", "bell", "lowest", "highest", "zero")
"""What each sample consists of."""
ANY_SHAPE = st.integers(1, 4).flatmap(lambda rank: shapes(rank))
SYMMETRIC = SCALES.map(lambda scale: Quantization((scale,), (0,)))
_QUANTIZATIONS = {"int8": QUANTIZATIONS, "int16": SYMMETRIC}


def shapes(rank: int, largest: int = 5) -> st.SearchStrategy[Shape]:
    return st.tuples(*[st.integers(1, largest)] * rank)


def quantizations(dtype: str) -> st.SearchStrategy[Quantization | None]:
    """Random parameters for a dtype that has them."""
    return _QUANTIZATIONS.get(dtype, st.none())


def integers(values: object) -> Array:
    return np.array(values, "int32")


def elements(shape: Shape, dtype: str) -> Values:
    """Any values: integers over the range of up to 16 bits, with its edges; floats around 0."""
    if dtype == "float32":
        return lambda generator, kind: generator.normal(0, 0 if kind == "zero" else 2, shape).astype(dtype)
    bits = np.iinfo(dtype if np.dtype(dtype).itemsize <= 2 else "int16")

    def draw(generator: np.random.Generator, kind: str) -> Array:
        if kind == "random":
            return generator.integers(bits.min, bits.max, shape, endpoint=True).astype(dtype)
        if kind == "bell":
            return generator.normal(0, bits.max / 6, shape).clip(bits.min, bits.max).astype(dtype)
        return np.full(shape, {"lowest": bits.min, "highest": bits.max, "zero": 0}[kind], dtype)

    return draw


def indices(shape: Shape, sizes: int | Sequence[int]) -> Values:
    """Numbers from 0 to below `sizes`, which counts along the last dimension."""
    return lambda generator, kind: generator.integers(0, sizes, shape).astype("int32")


def check_mixture(*cases: st.SearchStrategy[Add], each: int = 3) -> None:
    """Models with `each` random uses of every case give what TensorFlow Lite Micro gives."""

    # To shrink a failing model would take a build a step.
    @settings(max_examples=2, report_multiple_bugs=False, phases=[Phase.explicit, Phase.generate])
    @given(st.tuples(*[case for case in cases for _ in range(each)]), st.integers(0, 2**32 - 1))
    def check(adds: Sequence[Add], seed: int) -> None:
        graph, generator = Graph("mixture"), np.random.default_rng(seed)
        inputs = [values for add in adds for values in add(graph, generator)]
        samples = [[values(generator, kind) for values in inputs] for kind in KINDS]
        assert_equals_tflite_micro(graph.to_bytes(), samples)

    check()
