"""Damaged and mutated model files: a clear error or a container, never a traceback, a hang or a crash."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.build import build_container
from builder.importers import read_signature
from container.abi import Profile
from container.errors import CompileError
from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import model_pipeline
from tests.builder.support import NO_GOLDEN
from tests.shared import shared_path

MODELS = ["tflite_micro/hello_world_int8", "tinymaix/mnist_arduino_q", "hotg_rune/gesture_float"]


def compile_model(data: bytes) -> None:
    """Builds it, or raises CompileError."""
    build_container(model_pipeline(data), profiles=[Profile.MCU], golden=NO_GOLDEN)


@st.composite
def mutations(draw: st.DrawFn, data: bytes) -> bytes:
    """The data with some bytes changed, or cut short."""
    damaged = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, len(data) - 1))
        damaged[position] = draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF, draw(st.integers(0, 255))]))
    end = draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))
    return bytes(damaged[:end])


@pytest.mark.parametrize("name", MODELS)
def test_reading_a_mutated_model_ends_in_a_signature_or_a_clear_error(name: str) -> None:
    data = shared_path(f"models/{name}.tflite").read_bytes()
    refused: list[str] = []

    @settings(max_examples=300)
    @given(mutations(data))
    def check(damaged: bytes) -> None:
        try:
            read_signature(damaged, "model.tflite", None)
        except CompileError as error:
            refused.append(error.message)

    check()
    assert refused
    assert all(message.startswith("model.tflite: ") for message in refused)


@pytest.mark.parametrize("name", MODELS)
def test_compiling_a_mutated_model_ends_in_a_container_or_a_clear_error(name: str) -> None:
    data = shared_path(f"models/{name}.tflite").read_bytes()

    @settings(max_examples=25)
    @given(mutations(data))
    def check(damaged: bytes) -> None:
        with contextlib.suppress(CompileError):
            compile_model(damaged)

    check()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b"PK\x03\x04" + bytes(100), "ZIP archive"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x00\x00\x00\x00TFL3", "has no graph with outputs"),
        (b"\xff\xff\xff\x7fTFL3" + bytes(64), "damaged TensorFlow Lite model"),
        (b"words that are no model", "it starts with the bytes 77 6f 72 64"),
    ],
)
def test_what_is_no_model_is_named(data: bytes, said: str) -> None:
    with pytest.raises(CompileError, match=said):
        read_signature(data, "model.tflite", None)


def test_all_operators_that_cannot_be_compiled_are_named_at_once() -> None:
    graph = Graph("unsupported")
    x = graph.input("sound", (1, 4), "float32")
    y, z = graph.tensor("waves", (1, 4), "float32"), graph.tensor("ripples", (1, 4), "float32")
    graph.operator("LSH_PROJECTION", [x], [y])
    graph.operator("SKIP_GRAM", [y], [z])
    graph.output(z)
    with pytest.raises(CompileError) as caught:
        compile_model(graph.to_bytes())
    assert caught.value.message.splitlines() == [
        "stage `model`: model.tflite cannot be compiled:",
        "  operator LSH_PROJECTION (node 0, output 'waves'): the operator is not supported yet",
        "  operator SKIP_GRAM (node 1, output 'ripples'): the operator is not supported yet",
    ]


def test_a_tensor_whose_shape_contradicts_its_operator_is_refused() -> None:
    graph = Graph("contradiction")
    x = graph.input("x", (1, 4), "float32")
    y = graph.tensor("y", (1, 5), "float32")
    graph.operator("SOFTMAX", [x], [y], beta=1.0)
    graph.output(y)
    with pytest.raises(CompileError, match=r"output 'y' is \[1, 5\], but from its inputs follows \[1, 4\]"):
        compile_model(graph.to_bytes())


def test_a_model_that_needs_more_memory_than_any_host_gives_is_refused() -> None:
    graph, shape = Graph("large"), (1, 1 << 14, (1 << 13) + 1)
    x = graph.input("x", shape, "int8", Quantization((0.1,), (0,)))
    y = graph.tensor("y", shape, "int8", Quantization((0.2,), (0,)))
    z = graph.tensor("z", shape, "int8", Quantization((0.3,), (0,)))
    graph.operator("QUANTIZE", [x], [y])
    graph.operator("QUANTIZE", [y], [z])
    graph.output(z)
    with pytest.raises(
        CompileError, match=r"stage `model`: operator quantize_\d needs 268,468,224 bytes"
    ) as caught:
        compile_model(graph.to_bytes())
    assert caught.value.hint == "use a smaller input or a smaller model"
