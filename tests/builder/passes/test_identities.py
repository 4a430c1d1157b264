"""Operators that change nothing, and those that look as if they did not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from builder.passes.dead_code import remove_dead_code
from builder.passes.duplicates import merge_duplicates
from builder.passes.identities import remove_identities
from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import int8_samples
from tests.builder.passes.shrunk import assert_bits_stay, operators, shrunk

FINE, COARSE = Quantization((0.05,), (7,)), Quantization((0.11,), (-20,))


def chain(*steps: tuple[str, str, Quantization | None], shape: tuple[int, ...] = (1, 8)) -> bytes:
    """x int8 of `FINE`, then operators, each with the dtype and quantisation of its result."""
    graph = Graph("chain")
    value = graph.input("x", shape, "int8", FINE)
    for builtin, dtype, quantization in steps:
        result = graph.tensor("y", shape, dtype, quantization)
        graph.operator(builtin, [value], [result])
        value = result
    graph.output(value)
    return graph.to_bytes()


SAME = chain(("QUANTIZE", "int8", FINE))
THERE_AND_BACK = chain(("DEQUANTIZE", "float32", None), ("QUANTIZE", "int8", FINE))
WIDE_AND_BACK = chain(("QUANTIZE", "int16", Quantization((0.0003,), (0,))), ("QUANTIZE", "int8", FINE))
COARSE_AND_BACK = chain(("QUANTIZE", "int8", COARSE), ("QUANTIZE", "int8", FINE))
OTHER_ZERO = chain(("QUANTIZE", "int8", Quantization((0.05,), (8,))))
OTHER_SCALE = chain(("DEQUANTIZE", "float32", None), ("QUANTIZE", "int8", COARSE))


@pytest.mark.parametrize("model", [SAME, THERE_AND_BACK, WIDE_AND_BACK], ids=["same", "float", "int16"])
def test_quantisations_that_come_back_are_removed(model: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _ = shrunk(model, remove_identities)
    assert operators(module) == []
    assert_bits_stay(model, int8_samples([(1, 8)], 0, 4), monkeypatch, remove_identities)


@pytest.mark.parametrize(
    "model", [COARSE_AND_BACK, OTHER_ZERO, OTHER_SCALE], ids=["coarse", "zero point", "scale"]
)
def test_quantisations_that_lose_something_stay(model: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    module, (removed,) = shrunk(model, remove_identities)
    assert removed.operations == 0
    samples = [[np.arange(start, start + 8, dtype="int8").reshape(1, 8)] for start in range(-128, 121, 8)]
    assert_bits_stay(model, samples, monkeypatch, remove_identities)
    assert operators(module) != []


def reshapes(*shapes: Sequence[int]) -> bytes:
    graph = Graph("reshapes")
    value = graph.input("x", shapes[0], "int8", FINE)
    for shape in shapes[1:]:
        result = graph.tensor("y", shape, "int8", FINE)
        graph.operator("RESHAPE", [value, graph.constant("s", np.array(shape, "int32"))], [result])
        value = result
    graph.output(value)
    return graph.to_bytes()


@pytest.mark.parametrize(
    ("shapes", "left"),
    [
        ([(2, 6), (3, 4)], 1),
        ([(2, 6), (3, 4), (12, 1)], 1),
        ([(2, 6), (3, 4), (2, 6)], 0),
        ([(2, 6), (2, 6)], 0),
    ],
)
def test_of_reshapes_the_last_counts(
    shapes: list[tuple[int, ...]], left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = reshapes(*shapes)
    module, _ = shrunk(model, remove_identities)
    assert operators(module) == ["relax.reshape"] * left
    assert_bits_stay(model, int8_samples([shapes[0]], 0, 1), monkeypatch, remove_identities)


@pytest.mark.parametrize(("activation", "left"), [(0, ["conv2d", "clamp"]), (1, ["conv2d"])])
def test_a_clamp_behind_a_clamp(activation: int, left: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph("clamped")
    x = graph.input("x", (1, 3, 4, 2), "int8", FINE)
    w = graph.constant("w", np.array([[[[3, -90]]]], "int8"), Quantization((0.01,), (0,)))
    bias = graph.constant("b", np.array([5], "int32"))
    middle, y = (graph.tensor(name, (1, 3, 4, 1), "int8", FINE) for name in ("middle", "y"))
    window = {"padding": 1, "stride_h": 1, "stride_w": 1}
    graph.operator("CONV_2D", [x, w, bias], [middle], fused_activation_function=activation, **window)
    graph.operator("RELU", [middle], [y])
    graph.output(y)
    module, _ = shrunk(graph.to_bytes(), remove_identities)
    assert operators(module) == left
    assert_bits_stay(graph.to_bytes(), int8_samples([(1, 3, 4, 2)], 0, 2), monkeypatch, remove_identities)


def pooled(builtin: str, extent: int, activation: int) -> bytes:
    graph = Graph("pooled")
    x = graph.input("x", (1, 3, 4, 2), "int8", FINE)
    y = graph.tensor("y", (1, 4 - extent, 5 - extent, 2), "int8", FINE)
    window = {"padding": 1, "stride_h": 1, "stride_w": 1, "filter_height": extent, "filter_width": extent}
    graph.operator(builtin, [x], [y], fused_activation_function=activation, **window)
    graph.output(y)
    return graph.to_bytes()


@pytest.mark.parametrize("builtin", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
@pytest.mark.parametrize(("extent", "activation", "left"), [(1, 0, 0), (1, 1, 1), (2, 0, 1)])
def test_pooling_of_single_elements(
    builtin: str, extent: int, activation: int, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = pooled(builtin, extent, activation)
    module, _ = shrunk(model, remove_identities)
    assert len(operators(module)) == left
    assert_bits_stay(model, int8_samples([(1, 3, 4, 2)], 0, 2), monkeypatch, remove_identities)


def test_what_no_output_needs_and_what_is_computed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph("twice")
    x = graph.input("x", (1, 8), "int8", FINE)
    first, second, unused, y = (graph.tensor(name, (1, 8), "int8", COARSE) for name in "abuy")
    for result in (first, second):
        graph.operator("ADD", [x, x], [result])
    graph.operator("MUL", [x, x], [unused])
    graph.operator("ADD", [first, second], [y])
    graph.output(y)
    model = graph.to_bytes()
    module, removed = shrunk(model, remove_dead_code, merge_duplicates)
    assert [(each.name, each.operations) for each in removed] == [
        ("remove_dead_code", 1),
        ("merge_duplicates", 1),
    ]
    assert operators(module) == ["add", "add"]
    assert_bits_stay(model, int8_samples([(1, 8)], 0, 4), monkeypatch, remove_dead_code, merge_duplicates)
