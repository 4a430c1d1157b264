"""Resized images against TensorFlow Lite Micro."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.operators.mixtures import Add, Values, check_mixture, elements, integers

QUANTIZATION = Quantization((0.5,), (-7,))


@st.composite
def resizes(draw: st.DrawFn, builtin: str, dtype: str) -> Add:
    height, width, depth = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(1, 3))
    size = (draw(st.integers(1, 20)), draw(st.integers(1, 20)))
    if draw(st.booleans()):
        size = (height * draw(st.integers(1, 3)), width * draw(st.integers(1, 3)))
    align = draw(st.booleans())
    options = {"align_corners": align, "half_pixel_centers": not align and draw(st.booleans())}
    quantization = QUANTIZATION if dtype == "int8" else None

    def add(graph: Graph, generator: np.random.Generator) -> list[Values]:
        shape = (1, height, width, depth)
        x = graph.input("x", shape, dtype, quantization)
        y = graph.tensor("y", (1, *size, depth), dtype, quantization)
        graph.operator(builtin, [x, graph.constant("size", integers(size))], [y], **options)
        graph.output(y)
        return [elements(shape, dtype)]

    return add


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_resized_images(dtype: str) -> None:
    check_mixture(*(resizes(f"RESIZE_{kind}", dtype) for kind in ("BILINEAR", "NEAREST_NEIGHBOR")), each=12)
