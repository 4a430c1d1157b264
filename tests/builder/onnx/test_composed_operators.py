"""Operators that are composed here, since TVM reads them in part or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from builder.assemble import assemble
from builder.importers.onnx_recurrent import MAXIMUM_STEPS
from container.errors import CompileError
from tests.builder.model_runs import model_pipeline
from tests.builder.onnx.graphs import Graph, assert_close_to_onnxruntime, normal_samples, run_ours
from tests.builder.support import Array

GENERATOR = np.random.default_rng(11)
STEPS, BATCH, DEPTH, HIDDEN = 5, 2, 4, 3
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def values(*shape: int) -> Array:
    return GENERATOR.normal(0, 1, shape).astype("float32")


def add_layer(
    graph: Graph, operator: str, x: str, *more: str, directions: int = 1, **attributes: Any
) -> None:
    """A recurrent layer with biases, all of its outputs being some of the graph."""
    count = GATES[operator] * HIDDEN
    shapes = [(directions, count, DEPTH), (directions, count, HIDDEN), (directions, 2 * count)]
    weights = [graph.constant(values(*shape)) for shape in shapes]
    outputs = 3 if operator == "LSTM" else 2
    for name in graph.nodes(operator, outputs, x, *weights, *more, hidden_size=HIDDEN, **attributes):
        graph.output(name)


def test_recurrent_layers_agree_with_onnxruntime() -> None:
    graph = Graph()
    x = graph.input((STEPS, BATCH, DEPTH))
    state = graph.input((2, BATCH, HIDDEN))
    lengths = graph.constant([STEPS] * BATCH, "int32")
    cell, peepholes = graph.constant(values(2, BATCH, HIDDEN)), graph.constant(values(2, 3 * HIDDEN))
    add_layer(graph, "LSTM", x)
    add_layer(
        *(graph, "LSTM", x, lengths, state, cell, peepholes),
        directions=2,
        direction="bidirectional",
        activations=["Sigmoid", "Tanh", "Relu", "Sigmoid", "Relu", "Tanh"],
    )
    add_layer(graph, "GRU", x, "", state, directions=2, direction="bidirectional")
    add_layer(graph, "GRU", x, direction="reverse", linear_before_reset=1)
    add_layer(graph, "RNN", x, direction="reverse", activations=["Relu"])
    assert_close_to_onnxruntime(graph.model(), normal_samples(graph.shapes))


def test_a_layer_of_variable_weights() -> None:
    graph = Graph()
    inputs = [graph.input(shape) for shape in [(2, 1, DEPTH), (1, 12, DEPTH), (1, 12, HIDDEN)]]
    graph.output(graph.nodes("LSTM", 1, *inputs, hidden_size=HIDDEN)[0])
    assert_close_to_onnxruntime(graph.model(), normal_samples(graph.shapes))


def test_the_largest_and_smallest_elements_with_ties() -> None:
    graph = Graph()
    x, integers = graph.input((3, 4, 5)), graph.input((6,), TensorProto.INT32)
    for source, dtype, count, attributes in [
        (x, TensorProto.FLOAT, 5, {}),
        (x, TensorProto.FLOAT, 2, {"axis": 0, "largest": 0}),
        (x, TensorProto.FLOAT, 3, {"axis": -2}),
        (integers, TensorProto.INT32, 4, {"largest": 0}),
    ]:
        found, places = graph.nodes("TopK", 2, source, graph.constant([count], "int64"), **attributes)
        graph.output(found, dtype)
        graph.output(places, TensorProto.INT64)
    samples = [
        [np.round(values(3, 4, 5) * 2), GENERATOR.integers(-3, 3, 6).astype("int32")] for _ in range(4)
    ]
    assert_close_to_onnxruntime(graph.model(), samples)


@pytest.mark.parametrize("bits", [32, 64])
def test_powers_of_integers_are_exact(bits: int) -> None:
    """Also what is more than a float32 holds; beyond their range they wrap."""
    graph = Graph()
    kind = TensorProto.INT32 if bits == 32 else TensorProto.INT64
    graph.output(graph.node("Pow", graph.input((8, 1), kind), graph.input((1, 9), kind)), kind)
    bases, exponents = [-3, -2, -1, 1, 2, 7, 11, 1000], [-2, -1, 0, 1, 2, 3, 9, 17, 40]
    expected = [[power(base, exponent, bits) for exponent in exponents] for base in bases]
    sample = [np.array(bases)[:, None].astype(f"int{bits}"), np.array([exponents]).astype(f"int{bits}")]
    for ((found,),) in run_ours(graph.model(), [sample]).values():
        assert found.tolist() == expected


def power(base: int, exponent: int, bits: int) -> int:
    if exponent < 0:
        return int(base**exponent)
    half = 1 << (bits - 1)
    return int((base**exponent + half) % (2 * half)) - half


def test_powers_of_integers_to_floats_are_cut_off() -> None:
    graph = Graph()
    base, exponent = graph.input((4,), TensorProto.INT64), graph.input((4,))
    graph.output(graph.node("Pow", base, exponent), TensorProto.INT64)
    sample = [np.array([2, 3, 10, 94906267]), np.array([0.5, 3.0, 15.0, 2.0], "float32")]
    for ((found,),) in run_ours(graph.model(), [sample]).values():
        assert found.tolist()[:3] == [1, 27, 10**15]
        assert found[3] == int(94906267.0**2)


def test_layer_normalization_gives_its_statistics() -> None:
    graph = Graph()
    x = graph.input((2, 3, 4))
    for axis in (1, -1):
        shape = (2, 3, 4)[axis:]
        scale, bias = graph.constant(values(*shape)), graph.constant(values(*shape))
        for name in graph.nodes("LayerNormalization", 3, x, scale, bias, axis=axis, epsilon=0.01):
            graph.output(name)
    assert_close_to_onnxruntime(graph.model(), normal_samples(graph.shapes))


@pytest.mark.parametrize("attributes", [{}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}])
def test_the_shape_that_a_transposed_convolution_is_to_have(attributes: dict[str, str]) -> None:
    """Less than the full one, by an odd number, in height; more in width."""
    graph = Graph()
    x, w = graph.input((1, 2, 4, 3)), graph.constant(values(2, 3, 4, 2))
    y = graph.node("ConvTranspose", x, w, strides=[2, 3], output_shape=[7, 9], **attributes)
    graph.output(y)
    assert_close_to_onnxruntime(graph.model(), normal_samples(graph.shapes))


def lengths_of_their_own(graph: Graph, x: str) -> None:
    add_layer(graph, "LSTM", x, graph.constant([STEPS, STEPS - 1], "int32"))


def clipped(graph: Graph, x: str) -> None:
    add_layer(graph, "GRU", x, clip=1.0)


def batch_first(graph: Graph, x: str) -> None:
    add_layer(graph, "RNN", x, layout=1)


def unknown_activation(graph: Graph, x: str) -> None:
    add_layer(graph, "RNN", x, activations=["Softsign"])


def coupled_gates(graph: Graph, x: str) -> None:
    add_layer(graph, "LSTM", x, input_forget=1)


def long_sequence(graph: Graph, x: str) -> None:
    add_layer(graph, "RNN", graph.input((MAXIMUM_STEPS + 1, 1, DEPTH)))


def too_many_of_them(graph: Graph, x: str) -> None:
    found = graph.nodes("TopK", 2, x, graph.constant([DEPTH + 1], "int64"))[0]
    graph.output(found, shape=(STEPS, BATCH, DEPTH + 1))


def fractional_scales(graph: Graph, x: str) -> None:
    graph.output(graph.node("Resize", x, "", graph.constant([1, 1, 0.6])))


def empty_result(graph: Graph, x: str) -> None:
    ends = graph.constant([1], "int64"), graph.constant([1], "int64"), graph.constant([0], "int64")
    graph.output(graph.node("Slice", x, *ends))


REFUSALS: dict[Callable[[Graph, str], None], str] = {
    lengths_of_their_own: "operator LSTM .* its sequences have lengths of their own; supported: all of 5",
    clipped: "operator GRU .* its gates are clipped",
    batch_first: "operator RNN .* its batch comes first",
    unknown_activation: "operator RNN .* its activation is Softsign; supported: Relu, Sigmoid, Tanh",
    coupled_gates: "operator LSTM .* its input and forget gates are coupled",
    long_sequence: "operator RNN .* a sequence of 513 steps; at most 512 are compiled",
    too_many_of_them: "operator TopK .* k is 5; 1 to 4, the elements along axis 2, are supported",
    fractional_scales: r"operator Resize .* its scales \[1.0, 1.0, 0.6\] come to fractions of elements",
    empty_result: "dimension 0 of output 'slice_0' is 0: every size must be fixed and positive",
}


@pytest.mark.parametrize("make", REFUSALS, ids=lambda make: str(make.__name__))
def test_what_is_not_supported_is_said(make: Callable[[Graph, str], None]) -> None:
    graph = Graph()
    make(graph, graph.input((STEPS, BATCH, DEPTH)))
    with pytest.raises(CompileError, match=REFUSALS[make]):
        assemble(model_pipeline(graph.model(), "model.onnx"))
