"""Operators that read and write where indices say, against TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import strategies as st

from container.abi import Profile
from container.errors import CompileError, TrapError
from examples.tflite_writer import Graph
from runtime.application import Application
from tests.builder.model_runs import model_pipeline
from tests.builder.operators.mixtures import (
    ANY_SHAPE,
    Add,
    Shape,
    Values,
    check_mixture,
    elements,
    indices,
    integers,
    shapes,
)
from tests.builder.operators.movement_graphs import SYMMETRIC
from tests.builder.support import container_of

SMALL_SHAPES = st.integers(1, 2).flatmap(lambda rank: shapes(rank, 4))


class Model:
    """A graph of one dtype whose index operands are inputs or constants."""

    def __init__(self, graph: Graph, generator: np.random.Generator, dtype: str) -> None:
        self.graph, self._generator, self._dtype = graph, generator, dtype
        self._quantization = SYMMETRIC if dtype == "int8" else None
        self.values: list[Values] = []

    def data(self, shape: Shape) -> int:
        self.values.append(elements(shape, self._dtype))
        return self.graph.input("x", shape, self._dtype, self._quantization)

    def indices(self, shape: Shape, sizes: int | Sequence[int], *, constant: bool) -> int:
        values = indices(shape, sizes)
        if constant:
            return self.graph.constant("i", values(self._generator, "random"))
        self.values.append(values)
        return self.graph.input("i", shape, "int32")

    def result(self, builtin: str, operands: Sequence[int], shape: Shape, **options: int) -> list[Values]:
        y = self.graph.tensor("y", shape, self._dtype, self._quantization)
        self.graph.operator(builtin, operands, [y], **options)
        self.graph.output(y)
        return self.values


@st.composite
def gather(draw: st.DrawFn, dtype: str) -> Add:
    shape, constant = draw(ANY_SHAPE), draw(st.booleans())
    axis = draw(st.integers(0, len(shape) - 1))
    batches = draw(st.integers(0, min(axis, 1)))
    places = (*shape[:batches], *draw(SMALL_SHAPES))
    result = (*shape[:axis], *places[batches:], *shape[axis + 1 :])

    def add(graph: Graph, generator: np.random.Generator) -> list[Values]:
        model = Model(graph, generator, dtype)
        operands = [model.data(shape), model.indices(places, shape[axis], constant=constant)]
        return model.result("GATHER", operands, result, axis=axis, batch_dims=batches)

    return add


@st.composite
def gather_nd(draw: st.DrawFn, dtype: str) -> Add:
    shape, constant = draw(ANY_SHAPE), draw(st.booleans())
    depth = draw(st.integers(1, len(shape)))
    outer = draw(SMALL_SHAPES)

    def add(graph: Graph, generator: np.random.Generator) -> list[Values]:
        model = Model(graph, generator, dtype)
        operands = [model.data(shape), model.indices((*outer, depth), shape[:depth], constant=constant)]
        return model.result("GATHER_ND", operands, (*outer, *shape[depth:]))

    return add


@st.composite
def embedding_lookup(draw: st.DrawFn, dtype: str) -> Add:
    shape, count, constant = (
        draw(st.tuples(*[st.integers(1, 4)] * 2)),
        draw(st.integers(1, 5)),
        draw(st.booleans()),
    )

    def add(graph: Graph, generator: np.random.Generator) -> list[Values]:
        model = Model(graph, generator, dtype)
        rows = model.indices((count,), shape[0], constant=constant)
        return model.result("EMBEDDING_LOOKUP", [rows, model.data(shape)], (count, *shape[1:]))

    return add


@st.composite
def dynamic_update_slice(draw: st.DrawFn, dtype: str) -> Add:
    """Boxes may begin outside: they are moved inside."""
    shape = draw(ANY_SHAPE)
    box = tuple(draw(st.integers(1, size)) for size in shape)

    def add(graph: Graph, generator: np.random.Generator) -> list[Values]:
        model = Model(graph, generator, dtype)
        operands = [model.data(shape), model.data(box)]
        operands.append(model.indices((len(shape),), [size + 2 for size in shape], constant=False))
        return model.result("DYNAMIC_UPDATE_SLICE", operands, shape)

    return add


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_elements_are_found_where_the_reference_finds_them(dtype: str) -> None:
    cases = (gather, gather_nd, embedding_lookup, dynamic_update_slice)
    check_mixture(*(case(dtype) for case in cases), each=6)


def rows_of_three(*, index: int | None) -> Graph:
    """Picks one of three numbers, by a constant index or an input."""
    graph = Graph("gather")
    x = graph.input("x", (3,), "float32")
    place = graph.input("i", (1,), "int32") if index is None else graph.constant("i", integers([index]))
    y = graph.tensor("y", (1,), "float32")
    graph.operator("GATHER", [x, place], [y], axis=0)
    graph.output(y)
    return graph


def test_an_index_that_is_not_there_fails_the_stage() -> None:
    container = container_of(model_pipeline(rows_of_three(index=None).to_bytes()))
    x = np.array([5, 6, 7], "float32")
    for profile in Profile:
        with Application(container, profile=profile) as application:
            for index in (3, -1, 2**31 - 1):
                with pytest.raises(TrapError, match="an index is outside of the list it points into"):
                    application.run({"in0": x, "in1": np.array([index], "int32")})
            assert application.run({"in0": x, "in1": np.array([2], "int32")})["out"].tolist() == [7]


def test_a_constant_index_that_is_not_there_is_refused() -> None:
    with pytest.raises(CompileError, match=r"operator GATHER .*an index out of range: 3 to 3 into \[3\]"):
        container_of(model_pipeline(rows_of_three(index=3).to_bytes()))
