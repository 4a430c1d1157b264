"""Resized images against TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro, float_samples, int8_samples
from tests.builder.operators.movement_graphs import Shape, integers

QUANTIZATION = Quantization((0.5,), (-7,))
SAMPLES = {"int8": int8_samples, "float32": float_samples}


@st.composite
def resizes(draw: st.DrawFn) -> tuple[Shape, tuple[int, int], dict[str, Any]]:
    """An image, the new height and width, and options."""
    height, width, depth = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(1, 3))
    size = (draw(st.integers(1, 20)), draw(st.integers(1, 20)))
    if draw(st.booleans()):
        size = (height * draw(st.integers(1, 3)), width * draw(st.integers(1, 3)))
    align = draw(st.booleans())
    options = {"align_corners": align, "half_pixel_centers": not align and draw(st.booleans())}
    return (1, height, width, depth), size, options


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("builtin", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
def test_resized_images(builtin: str, dtype: str) -> None:
    quantization = QUANTIZATION if dtype == "int8" else None

    @settings(max_examples=2, report_multiple_bugs=False, phases=[Phase.explicit, Phase.generate])
    @given(st.lists(resizes(), min_size=10, max_size=10), st.integers(0, 2**32 - 1))
    def check(cases: Sequence[tuple[Shape, tuple[int, int], dict[str, Any]]], seed: int) -> None:
        graph = Graph(builtin)
        for shape, size, options in cases:
            x = graph.input("x", shape, dtype, quantization)
            y = graph.tensor("y", (shape[0], *size, shape[3]), dtype, quantization)
            graph.operator(builtin, [x, graph.constant("size", integers(size))], [y], **options)
            graph.output(y)
        assert_equals_tflite_micro(graph.to_bytes(), SAMPLES[dtype]([shape for shape, _, _ in cases], seed))

    check()
