"""Borders that become padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from builder.passes.padding import merge_padding
from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import float_samples, int8_samples
from tests.builder.passes.shrunk import assert_bits_stay, operators, shrunk

X, Y = Quantization((0.05,), (-3,)), Quantization((0.1,), (4,))
VALID = 1
BORDER = ((0, 0), (1, 2), (2, 1), (0, 0))


def padded_convolution(
    *,
    builtin: str = "CONV_2D",
    border: tuple[tuple[int, int], ...] = BORDER,
    value: int | None = None,
    padding: int = VALID,
    dtype: str = "int8",
) -> bytes:
    """PAD or PADV2 of an image of 5 x 6 x 2, then a window of 3 x 2 in steps of 2."""
    graph, generator = Graph("padded"), np.random.default_rng(1)
    is_integer = dtype == "int8"
    x = graph.input("x", (1, 5, 6, 2), dtype, X if is_integer else None)
    shape = tuple(int(a + size + b) for (a, b), size in zip(border, (1, 5, 6, 2), strict=True))
    padded = graph.tensor("padded", shape, dtype, X if is_integer else None)
    operands = [x, graph.constant("border", np.array(border, "int32"))]
    if value is not None:
        operands.append(graph.constant("value", np.array([value], dtype), X))
    graph.operator("PAD" if value is None else "PADV2", operands, [padded])
    filters = (shape[3] if builtin == "CONV_2D" else 1, 3, 2, shape[3])
    weights = generator.integers(-127, 128, filters)
    scale = Quantization((0.02,), (0,)) if is_integer else None
    w = graph.constant("w", weights.astype(dtype), scale)
    bias = graph.constant(
        "b", generator.integers(-500, 500, shape[3]).astype("int32" if is_integer else dtype), None
    )
    sizes = [
        (size - extent) // 2 + 1 if padding == VALID else -(-size // 2)
        for size, extent in zip(shape[1:3], (3, 2), strict=True)
    ]
    y = graph.tensor("y", (shape[0], *sizes, shape[3]), dtype, Y if is_integer else None)
    options: dict[str, Any] = {"padding": padding, "stride_h": 2, "stride_w": 2}
    if builtin == "DEPTHWISE_CONV_2D":
        options["depth_multiplier"] = 1
    graph.operator(builtin, [padded, w, bias], [y], **options)
    graph.output(y)
    return graph.to_bytes()


@pytest.mark.parametrize("builtin", ["CONV_2D", "DEPTHWISE_CONV_2D"])
@pytest.mark.parametrize("padding", [VALID, 0])
@pytest.mark.parametrize("value", [None, -3])
def test_a_border_of_zeros_becomes_padding(
    builtin: str, padding: int, value: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = padded_convolution(builtin=builtin, padding=padding, value=value)
    module, (removed,) = shrunk(model, merge_padding)
    assert "pad" not in operators(module)
    assert (removed.name, removed.operations, removed.macs) == ("merge_padding", 1, 0)
    assert_bits_stay(model, int8_samples([(1, 5, 6, 2)], 0, 3), monkeypatch, merge_padding)


@pytest.mark.parametrize(
    "model",
    [
        padded_convolution(value=5),  # not what stands for 0
        padded_convolution(border=((0, 0), (1, 1), (1, 1), (0, 1))),  # a channel more
        padded_convolution(border=((1, 0), (1, 1), (1, 1), (0, 0))),  # an image more
    ],
    ids=["another value", "channels", "batch"],
)
def test_other_borders_stay(model: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _ = shrunk(model, merge_padding)
    assert "pad" in operators(module)
    assert_bits_stay(model, int8_samples([(1, 5, 6, 2)], 0, 2), monkeypatch, merge_padding)


def test_floats_add_up_differently_so_theirs_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    model = padded_convolution(dtype="float32")
    module, _ = shrunk(model, merge_padding)
    assert "pad" in operators(module)
    assert_bits_stay(model, float_samples([(1, 5, 6, 2)], 0, 2), monkeypatch, merge_padding)
