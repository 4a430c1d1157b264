"""Operators that fold elements along axes, against TensorFlow Lite Micro."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from examples.tflite_writer import TENSOR_TYPES, Graph
from tests.builder.operators.mixtures import (
    ANY_SHAPE,
    Add,
    Values,
    check_mixture,
    elements,
    integers,
    quantizations,
)


@st.composite
def reductions(draw: st.DrawFn, builtin: str, dtype: str) -> Add:
    shape = draw(ANY_SHAPE)
    axes = draw(st.lists(st.integers(-len(shape), len(shape) - 1), min_size=1, max_size=2))
    reduced = {axis % len(shape) for axis in axes}
    # The reference cannot reduce everything to a tensor without dimensions.
    keep = draw(st.booleans()) or len(reduced) == len(shape)
    sizes = [1 if axis in reduced else size for axis, size in enumerate(shape)]
    result = tuple(size for axis, size in enumerate(sizes) if keep or axis not in reduced)
    source = draw(quantizations(dtype))
    same = builtin.startswith("REDUCE") or draw(st.booleans())
    target = source if same else draw(quantizations(dtype))

    def add(graph: Graph, generator: np.random.Generator) -> list[Values]:
        x, y = graph.input("x", shape, dtype, source), graph.tensor("y", result, dtype, target)
        graph.operator(builtin, [x, graph.constant("axes", integers(axes))], [y], keep_dims=keep)
        graph.output(y)
        return [elements(shape, dtype)]

    return add


@st.composite
def along_one_axis(draw: st.DrawFn, builtin: str, dtype: str) -> Add:
    shape = draw(ANY_SHAPE)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    source, target = draw(quantizations(dtype)), draw(quantizations(dtype))
    options = {"exclusive": draw(st.booleans()), "reverse": draw(st.booleans())}

    def add(graph: Graph, generator: np.random.Generator) -> list[Values]:
        operands = [graph.input("x", shape, dtype, source), graph.constant("axis", integers([axis]))]
        if builtin == "CUMSUM":
            y = graph.tensor("y", shape, dtype, target)
            graph.operator(builtin, operands, [y], **options)
        else:
            rest = [size for number, size in enumerate(shape) if number != axis % len(shape)]
            y = graph.tensor("y", rest, "int32")
            graph.operator(builtin, operands, [y], output_type=TENSOR_TYPES["int32"])
        graph.output(y)
        return [elements(shape, dtype)]

    return add


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_sums_and_means(dtype: str) -> None:
    check_mixture(reductions("SUM", dtype), reductions("MEAN", dtype), each=8)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_extremes_and_running_sums(dtype: str) -> None:
    extremes = [reductions(builtin, dtype) for builtin in ("REDUCE_MAX", "REDUCE_MIN")]
    others = [along_one_axis(builtin, dtype) for builtin in ("ARG_MAX", "ARG_MIN", "CUMSUM")]
    check_mixture(*extremes, *others, each=6)
