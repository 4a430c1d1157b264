"""Operators that move elements, against TensorFlow Lite Micro: every element where it puts it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from examples.tflite_writer import Graph
from tests.builder.model_runs import run_ours
from tests.builder.operators import movement_graphs as graphs
from tests.builder.operators.mixtures import check_mixture
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


def batches_of(image: Array, blocks: Array, borders: Array, value: int) -> Array:
    """SPACE_TO_BATCH_ND as TensorFlow's documentation defines it: pad, part into blocks, places first."""
    padded = np.pad(image, [(0, 0), *borders.tolist(), (0, 0)], constant_values=value)
    batch, height, width, depth = padded.shape
    down, across = blocks.tolist()
    parted = padded.reshape(batch, height // down, down, width // across, across, depth)
    return parted.transpose(2, 4, 0, 1, 3, 5).reshape(-1, height // down, width // across, depth)


@settings(max_examples=2, phases=[Phase.explicit, Phase.generate])
@given(st.lists(graphs.space_to_batch(padded=True), min_size=12, max_size=12), st.integers(0, 99))
def test_batches_are_padded_with_the_zero_point(cases: Sequence[Moved], seed: int) -> None:
    graph, generator = Graph("space_to_batch"), np.random.default_rng(seed)
    images = [values(generator, "random") for case in cases for values in case.add(graph, "int8")]
    operands = [[operand for operand in case.operands if isinstance(operand, np.ndarray)] for case in cases]
    zero = graphs.QUANTIZATION.zero_point[0]
    for results in run_ours(graph.to_bytes(), [images]).values():
        for found, image, (blocks, borders) in zip(results[0], images, operands, strict=True):
            np.testing.assert_array_equal(found, batches_of(image, blocks, borders, zero))
