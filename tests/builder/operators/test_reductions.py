"""Operators that fold elements along axes, against TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from container.tensors import Quantization
from examples.tflite_writer import TENSOR_TYPES, Graph
from tests.builder.model_runs import assert_equals_tflite_micro, float_samples, int8_samples, int16_samples
from tests.builder.operators.graphs import QUANTIZATIONS, SCALES
from tests.builder.operators.movement_graphs import ANY_SHAPE, Shape, integers

few = settings(max_examples=2, report_multiple_bugs=False, phases=[Phase.explicit, Phase.generate])
"""Each example is a model of eight operators; to shrink one would take a build a step."""
SYMMETRIC = SCALES.map(lambda scale: Quantization((scale,), (0,)))


SAMPLES = {"int8": int8_samples, "int16": int16_samples, "float32": float_samples}


def quantized(draw: st.DrawFn, dtype: str) -> Quantization | None:
    return draw({"int8": QUANTIZATIONS, "int16": SYMMETRIC, "float32": st.none()}[dtype])


@st.composite
def reductions(draw: st.DrawFn, builtin: str, dtype: str) -> Callable[[Graph], Shape]:
    """What adds one to a graph and tells its input's shape."""
    shape = draw(ANY_SHAPE)
    axes = draw(st.lists(st.integers(-len(shape), len(shape) - 1), min_size=1, max_size=2))
    reduced = {axis % len(shape) for axis in axes}
    # The reference cannot reduce everything to a tensor without dimensions.
    keep = draw(st.booleans()) or len(reduced) == len(shape)
    sizes = [1 if axis in reduced else size for axis, size in enumerate(shape)]
    result = tuple(size for axis, size in enumerate(sizes) if keep or axis not in reduced)
    source = quantized(draw, dtype)
    same = builtin.startswith("REDUCE") or draw(st.booleans())
    target = source if same else quantized(draw, dtype)

    def add(graph: Graph) -> Shape:
        x, y = graph.input("x", shape, dtype, source), graph.tensor("y", result, dtype, target)
        graph.operator(builtin, [x, graph.constant("axes", integers(axes))], [y], keep_dims=keep)
        graph.output(y)
        return shape

    return add


@st.composite
def along_one_axis(draw: st.DrawFn, builtin: str, dtype: str) -> Callable[[Graph], Shape]:
    shape = draw(ANY_SHAPE)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    source, target = quantized(draw, dtype), quantized(draw, dtype)
    options = {"exclusive": draw(st.booleans()), "reverse": draw(st.booleans())}

    def add(graph: Graph) -> Shape:
        operands = [graph.input("x", shape, dtype, source), graph.constant("axis", integers([axis]))]
        if builtin == "CUMSUM":
            y = graph.tensor("y", shape, dtype, target)
            graph.operator(builtin, operands, [y], **options)
        else:
            rest = [size for number, size in enumerate(shape) if number != axis % len(shape)]
            y = graph.tensor("y", rest, "int32")
            graph.operator(builtin, operands, [y], output_type=TENSOR_TYPES["int32"])
        graph.output(y)
        return shape

    return add


def check(name: str, dtype: str, cases: st.SearchStrategy[Callable[[Graph], Shape]]) -> None:
    @few
    @given(st.lists(cases, min_size=8, max_size=8), st.integers(0, 2**32 - 1))
    def run(adds: Sequence[Callable[[Graph], Shape]], seed: int) -> None:
        graph = Graph(name)
        shapes = [add(graph) for add in adds]
        assert_equals_tflite_micro(graph.to_bytes(), SAMPLES[dtype](shapes, seed))

    run()


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
@pytest.mark.parametrize("builtin", ["SUM", "MEAN"])
def test_sums_and_means(builtin: str, dtype: str) -> None:
    check(builtin, dtype, reductions(builtin, dtype))


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("builtin", ["REDUCE_MAX", "REDUCE_MIN"])
def test_extremes(builtin: str, dtype: str) -> None:
    check(builtin, dtype, reductions(builtin, dtype))


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("builtin", ["ARG_MAX", "ARG_MIN", "CUMSUM"])
def test_along_one_axis(builtin: str, dtype: str) -> None:
    check(builtin, dtype, along_one_axis(builtin, dtype))
