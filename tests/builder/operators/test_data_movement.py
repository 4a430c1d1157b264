"""Operators that move elements, against TensorFlow Lite Micro: every element where it puts it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro, run_ours
from tests.builder.operators import movement_graphs as graphs
from tests.builder.operators.movement_graphs import Moved
from tests.builder.support import Array

MOVED = {
    "concatenation": (graphs.concatenation(), ["int8", "int16", "int32", "float32"]),
    "pack": (graphs.pack(), ["int8", "int32", "float32"]),
    "unpack": (graphs.unpack(), ["int8", "int32", "float32"]),
    "split": (graphs.split(), ["int8", "int16", "int32", "float32"]),
    "split_v": (graphs.split_v(), ["int8", "int16", "int32", "float32"]),
    "slice": (graphs.slice_(), ["int8", "int16", "int32", "float32"]),
    "strided_slice": (graphs.strided_slice(), ["int8", "int16", "int32", "float32"]),
    "transpose": (graphs.transpose(), ["int8", "int16", "float32"]),
    "pad": (graphs.pad(), ["int8", "int16", "int32", "float32"]),
    "mirror_pad": (graphs.mirror_pad(), ["int8", "float32"]),
    "broadcast_to": (graphs.broadcast_to(), ["int8", "int32", "float32"]),
    "space_to_depth": (graphs.space_to_depth(), ["int8", "float32"]),
    "space_to_batch": (graphs.space_to_batch(), ["int8", "float32"]),
}
few = settings(max_examples=2, report_multiple_bugs=False, phases=[Phase.explicit, Phase.generate])
"""Each example is a model of ten operators; to shrink one would take a build a step."""


def samples(shapes: Sequence[tuple[int, ...]], dtypes: Sequence[str], seed: int) -> list[list[Array]]:
    generator = np.random.default_rng(seed)
    return [
        [
            generator.integers(-128, 128, shape).astype(dtype)
            for shape, dtype in zip(shapes, dtypes, strict=True)
        ]
        for _ in range(2)
    ]


@pytest.mark.parametrize("name", MOVED)
def test_every_element_goes_where_the_reference_puts_it(name: str) -> None:
    cases, dtypes = MOVED[name]

    @few
    @given(st.lists(st.tuples(cases, st.sampled_from(dtypes)), min_size=10, max_size=10), st.integers(0, 99))
    def check(pairs: Sequence[tuple[Moved, str]], seed: int) -> None:
        graph = Graph(name)
        inputs = [(shape, dtype) for case, dtype in pairs for shape in case.add(graph, dtype)]
        shapes, kinds = [shape for shape, _ in inputs], [dtype for _, dtype in inputs]
        assert_equals_tflite_micro(graph.to_bytes(), samples(shapes, kinds, seed))

    check()


def results(graph: Graph, *inputs: Array) -> Array:
    """The first output, which both profiles agree on."""
    simd, mcu = (outputs[0][0] for outputs in run_ours(graph.to_bytes(), [inputs]).values())
    assert simd.tobytes() == mcu.tobytes()
    return simd


def test_batches_are_padded_with_the_zero_point() -> None:
    """A pixel in the middle of a border of one, in blocks of two: it goes to the last of four batches."""
    graph = Graph("space_to_batch")
    borders = graphs.integers([[1, 0], [1, 0]])
    Moved("SPACE_TO_BATCH_ND", ((1, 1, 1, 1), graphs.integers([2, 2]), borders), ((4, 1, 1, 1),)).add(
        graph, "int8"
    )
    assert results(graph, np.full((1, 1, 1, 1), 5, "int8")).ravel().tolist() == [-7, -7, -7, 5]
