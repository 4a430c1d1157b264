"""SVDF and LSTM against TensorFlow Lite Micro, over runs that follow each other."""

from __future__ import annotations

import numpy as np
import pytest

from container.errors import CompileError
from container.tensors import Quantization
from examples.tflite_writer import OMITTED, Graph
from tests.builder.model_runs import (
    assert_equals_tflite_micro,
    float_samples,
    int8_samples,
    model_pipeline,
    run_ours,
)
from tests.builder.operators.recurrent_graphs import Shape, add_lstm, add_svdf
from tests.builder.support import Array, container_of


def int16_samples(shapes: list[Shape], seed: int) -> list[list[Array]]:
    generator = np.random.default_rng(seed)
    samples = [[generator.integers(-32768, 32768, shape, "int16") for shape in shapes] for _ in range(6)]
    return samples + [[np.full(shape, value, "int16") for shape in shapes] for value in (-32768, 32767)]


@pytest.mark.parametrize("seed", [1, 2])
def test_svdf_of_integers(seed: int) -> None:
    graph, generator = Graph("svdf"), np.random.default_rng(seed)
    shapes = [add_svdf(graph, generator, state) for state in ["int8"] * 4 + ["int16"] * 4]
    assert_equals_tflite_micro(graph.to_bytes(), int8_samples(shapes, seed, count=30))


def test_svdf_of_floats() -> None:
    graph, generator = Graph("svdf"), np.random.default_rng(3)
    shapes = [add_svdf(graph, generator, "float32") for _ in range(6)]
    assert_equals_tflite_micro(graph.to_bytes(), float_samples(shapes, 3))


@pytest.mark.parametrize(("dtype", "seed"), [("int8", 4), ("int8", 5), ("int16", 6)])
def test_lstm_of_integers(dtype: str, seed: int) -> None:
    graph, generator = Graph("lstm"), np.random.default_rng(seed)
    shapes = [
        add_lstm(graph, generator, dtype),
        add_lstm(graph, generator, dtype, time_major=True),
        add_lstm(graph, generator, dtype, cell_exponent=-11, cell_clip=0.5),
        add_lstm(graph, generator, dtype, cell_exponent=-15),
    ]
    samples = int8_samples(shapes, seed, count=30) if dtype == "int8" else int16_samples(shapes, seed)
    assert_equals_tflite_micro(graph.to_bytes(), samples)


def test_lstm_of_floats() -> None:
    graph, generator = Graph("lstm"), np.random.default_rng(7)
    shapes = [
        add_lstm(graph, generator, "float32"),
        add_lstm(graph, generator, "float32", time_major=True, cell_clip=0.3),
    ]
    assert_equals_tflite_micro(graph.to_bytes(), float_samples(shapes, 7))


def test_state_begins_at_the_zero_point_and_lies_beside_the_arena() -> None:
    """One filter of weight 1 that remembers 3 runs: 1, then 1 + 2, then 1 + 2 + 4, then 2 + 4 + 8."""
    one, graph = Quantization((1.0,), (0,)), Graph("sum of three")
    x = graph.input("x", (1, 1), "int8", one)
    weights = graph.constant("features", np.ones((1, 1), "int8"), one)
    times = graph.constant("times", np.ones((1, 3), "int8"), one)
    bias = graph.constant("bias", np.zeros(1, "int32"), one)
    state = graph.variable("state", (1, 3), "int8", Quantization((1.0,), (-5,)))
    y = graph.tensor("y", (1, 1), "int8", one)
    graph.operator("SVDF", [x, weights, times, bias, state], [y], rank=1)
    graph.output(y)
    samples = [[np.array([[value]], "int8")] for value in (1, 2, 4, 8)]
    for results in run_ours(graph.to_bytes(), samples).values():
        assert [int(outputs[0][0, 0]) for outputs in results] == [1, 3, 7, 14]
    for plan in container_of(model_pipeline(graph.to_bytes())).manifest.plans.values():
        assert plan.state == 3
        assert plan.arena <= 40
        assert [operator.name for operator in plan.operators] == ["read", "svdf_0", "write"]  # nothing copied


def lstm_model(position: int, tensor: str) -> bytes:
    """An LSTM whose input `position` is a constant it cannot have, or an ordinary tensor."""
    graph = Graph("lstm")
    add_lstm(graph, np.random.default_rng(0), "float32")
    operator = graph.operators[0]
    extra = graph.constant("extra", np.zeros(3, "float32")) if tensor == "constant" else operator.inputs[0]
    inputs = [*operator.inputs]
    inputs[position] = extra if tensor != "none" else OMITTED
    graph.operators.clear()
    graph.operator(operator.builtin, inputs, operator.outputs, **dict(operator.options))
    return graph.to_bytes()


@pytest.mark.parametrize(
    ("position", "tensor", "message"),
    [
        (9, "constant", "an LSTM with a peephole"),
        (16, "constant", "an LSTM with a projection"),
        (20, "constant", "an LSTM with layer normalisation"),
        (1, "none", "coupled to its forget gate"),
        (2, "constant", "weights 'extra' are [3], expected"),
        (18, "none", "input 18 is missing"),
    ],
)
def test_lstms_that_are_none_of_keras_are_refused(position: int, tensor: str, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        container_of(model_pipeline(lstm_model(position, tensor)))
    assert message in caught.value.message
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM (node 0" in caught.value.message


def test_an_svdf_without_a_variable_is_refused() -> None:
    graph = Graph("svdf")
    add_svdf(graph, np.random.default_rng(0), "float32")
    operator = graph.operators[0]
    graph.operators.clear()
    x, *weights, state = operator.inputs
    zeros = graph.constant("zeros", np.zeros(graph.tensors[state].shape, "float32"))
    graph.operator("SVDF", [x, *weights, zeros], operator.outputs, **dict(operator.options))
    with pytest.raises(CompileError, match="input 4, tensor 'zeros', must be a variable tensor"):
        container_of(model_pipeline(graph.to_bytes()))
