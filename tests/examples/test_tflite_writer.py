"""Models that the writer makes mean, to TensorFlow Lite Micro, what they were meant to mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

from container.tensors import Quantization
from examples.tflite_writer import OMITTED, Graph

runtime = pytest.importorskip("tflite_micro").runtime

ONE = Quantization((1.0,), (0,))
HALF = Quantization((0.5,), (0,))
PROBABILITY = Quantization((1 / 256,), (-128,))


def run(graph: Graph, *inputs: NDArray[Any]) -> NDArray[Any]:
    """First output of the model in TensorFlow Lite Micro."""
    interpreter = runtime.Interpreter.from_bytes(graph.to_bytes(), arena_size=1 << 16)
    for number, value in enumerate(inputs):
        interpreter.set_input(value, number)
    interpreter.invoke()
    result: NDArray[Any] = interpreter.get_output(0)
    return result


def i8(*values: int, shape: tuple[int, ...]) -> NDArray[np.int8]:
    return np.array(values, np.int8).reshape(shape)


def single(builtin: str, shape: tuple[int, ...], *constants: int | Any, **options: Any) -> Graph:
    """One int8 operator from `[1,2,2,1]` to `shape`, scale 1 everywhere."""
    graph = Graph(builtin.lower())
    source = graph.input("x", (1, 2, 2, 1), "int8", ONE)
    result = graph.tensor("y", shape, "int8", ONE)
    graph.operator(
        builtin, [source, *(graph.constant("c", value, ONE) for value in constants)], [result], **options
    )
    graph.output(result)
    return graph


PIXELS = i8(1, 2, 3, 4, shape=(1, 2, 2, 1))
VALID = tflite.Padding.VALID
WINDOW = {"stride_h": 1, "stride_w": 1, "padding": VALID}
POOL = {**WINDOW, "filter_height": 2, "filter_width": 2}


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        # 1*1 + 2*2 + 3*3 + 4*(-1) + 5
        (
            single(
                "CONV_2D",
                (1, 1, 1, 1),
                i8(1, 2, 3, -1, shape=(1, 2, 2, 1)),
                np.array([5], np.int32),
                **WINDOW,
            ),
            [15],
        ),
        (
            single(
                "DEPTHWISE_CONV_2D",
                (1, 1, 1, 2),
                i8(1, 2, 1, 0, 1, 0, 1, 0, shape=(1, 2, 2, 2)),
                np.array([0, 7], np.int32),
                **WINDOW,
                depth_multiplier=2,
            ),
            [10, 9],
        ),
        (
            single(
                "FULLY_CONNECTED", (1, 2), i8(1, 1, 1, 1, -1, 0, 0, 0, shape=(2, 4)), np.zeros(2, np.int32)
            ),
            [10, -1],
        ),
        (single("MAX_POOL_2D", (1, 1, 1, 1), **POOL), [4]),
        (single("AVERAGE_POOL_2D", (1, 1, 1, 1), **POOL), [3]),  # 2.5, half away from zero
        (single("MEAN", (1, 1), np.array([1, 2], np.int32)), [3]),
        (single("RESHAPE", (4, 1), np.array([4, 1], np.int32), new_shape=[4, 1]), [1, 2, 3, 4]),
    ],
    ids=lambda value: value.name if isinstance(value, Graph) else "",
)
def test_operator(graph: Graph, expected: list[int]) -> None:
    assert run(graph, PIXELS).ravel().tolist() == expected


def test_fused_activation_is_applied() -> None:
    graph = Graph("relu6")
    x = graph.input("x", (1, 4), "int8", ONE)
    y = graph.tensor("y", (1, 4), "int8", ONE)
    graph.operator("ADD", [x, x], [y], fused_activation_function=tflite.ActivationFunctionType.RELU6)
    graph.output(y)
    assert run(graph, i8(-3, 1, 2, 100, shape=(1, 4))).ravel().tolist() == [0, 2, 4, 6]


def test_scales_per_channel() -> None:
    graph = Graph("per_channel")
    x = graph.input("x", (1, 1, 1, 1), "int8", ONE)
    scales = Quantization((1.0, 0.5), (0, 0), axis=0)
    weights = graph.constant("w", i8(4, 4, shape=(2, 1, 1, 1)), scales)
    bias = graph.constant("b", np.array([1, 2], np.int32), scales)
    y = graph.tensor("y", (1, 1, 1, 2), "int8", ONE)
    graph.operator("CONV_2D", [x, weights, bias], [y], **WINDOW)
    graph.output(y)
    assert run(graph, i8(3, shape=(1, 1, 1, 1))).ravel().tolist() == [13, 7]


def test_float_fully_connected_without_bias() -> None:
    graph = Graph("float")
    x = graph.input("x", (1, 2), "float32")
    weights = graph.constant("w", np.array([[0.5, 0.25]], np.float32))
    y = graph.tensor("y", (1, 1), "float32")
    graph.operator("FULLY_CONNECTED", [x, weights, OMITTED], [y])
    graph.output(y)
    assert run(graph, np.array([[2, 4]], np.float32)).tolist() == [[2.0]]


def test_quantize_softmax_dequantize() -> None:
    graph = Graph("chain")
    x = graph.input("x", (1, 2), "float32")
    quantized = graph.tensor("q", (1, 2), "int8", HALF)
    soft = graph.tensor("s", (1, 2), "int8", PROBABILITY)
    y = graph.tensor("y", (1, 2), "float32")
    graph.operator("QUANTIZE", [x], [quantized])
    graph.operator("SOFTMAX", [quantized], [soft], beta=1.0)
    graph.operator("DEQUANTIZE", [soft], [y])
    graph.output(y)
    # 1 / (1 + e) = 0.2689, in steps of 1/256
    assert run(graph, np.array([[3.0, 4.0]], np.float32)).tolist() == [[69 / 256, 187 / 256]]


def test_same_graph_same_bytes() -> None:
    first, second = (single("MAX_POOL_2D", (1, 1, 1, 1), **POOL).to_bytes() for _ in range(2))
    assert first == second
    assert first[4:8] == b"TFL3"


def test_unknown_options_are_refused() -> None:
    graph = Graph("transpose")
    x = graph.input("x", (1, 2), "int8", ONE)
    graph.operator("TRANSPOSE", [x, x], [x], axis=1)
    with pytest.raises(ValueError, match="OPTION_TABLES does not say which options TRANSPOSE takes"):
        graph.to_bytes()
