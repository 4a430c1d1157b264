"""Operators that move elements, against TensorFlow Lite Micro: every element where it puts it."""

from __future__ import annotations

import numpy as np
import pytest

from examples.tflite_writer import Graph
from tests.builder.model_runs import run_ours
from tests.builder.operators import movement_graphs as graphs
from tests.builder.operators.mixtures import check_mixture, integers
from tests.builder.operators.movement_graphs import Moved
from tests.builder.support import Array

EVERY = ["int8", "int16", "int32", "float32"]
REFERENCE = {
    graphs.concatenation: EVERY,
    graphs.pack: EVERY,
    graphs.unpack: EVERY,
    graphs.split: EVERY,
    graphs.split_v: EVERY,
    graphs.slice_: EVERY,
    graphs.strided_slice: EVERY,
    graphs.transpose: ["int8", "int16", "float32"],
    graphs.pad: EVERY,
    graphs.mirror_pad: ["int8", "float32"],
    graphs.broadcast_to: EVERY,
    graphs.space_to_depth: ["int8", "float32"],
    graphs.space_to_batch: ["int8", "float32"],
}
"""The dtypes in which the reference has each operator."""


@pytest.mark.parametrize("dtype", EVERY)
def test_every_element_goes_where_the_reference_puts_it(dtype: str) -> None:
    kinds = [graph for graph, dtypes in REFERENCE.items() if dtype in dtypes]
    check_mixture(*(graph().map(lambda case: case.of(dtype)) for graph in kinds))


def results(graph: Graph, *inputs: Array) -> Array:
    """The first output, which both profiles agree on."""
    simd, mcu = (outputs[0][0] for outputs in run_ours(graph.to_bytes(), [inputs]).values())
    assert simd.tobytes() == mcu.tobytes()
    return simd


def test_batches_are_padded_with_the_zero_point() -> None:
    """A pixel in the middle of a border of one, in blocks of two: it goes to the last of four batches."""
    graph = Graph("space_to_batch")
    borders = integers([[1, 0], [1, 0]])
    Moved("SPACE_TO_BATCH_ND", ((1, 1, 1, 1), integers([2, 2]), borders), ((4, 1, 1, 1),)).add(graph, "int8")
    assert results(graph, np.full((1, 1, 1, 1), 5, "int8")).ravel().tolist() == [-7, -7, -7, 5]
