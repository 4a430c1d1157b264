"""Damaged models with state and custom operators: code for a container or a clear error, nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.assemble import assemble
from builder.codegen import generate
from builder.emit import emit_unit
from builder.lower import lower
from builder.program import read_program
from builder.target import Target
from container.abi import Profile
from container.errors import CompileError
from examples.tflite_writer import Graph
from tests.builder.model_runs import model_pipeline
from tests.builder.operators.recurrent_graphs import add_lstm, add_svdf
from tests.builder.operators.test_detection_postprocess import two_boxes
from tests.builder.operators.test_resource_variables import (
    add,
    assign,
    begin_with,
    handle,
    read,
    started,
)
from tests.builder.operators.test_signal import Signals


def layers() -> Graph:
    graph, generator = Graph("layers"), np.random.default_rng(0)
    add_svdf(graph, generator, "int8")
    add_lstm(graph, generator, "int8")
    return graph


def variables() -> Graph:
    graph, x = started()
    begin_with(graph, "total", -7, 0, 20, 90)
    assign(graph, "total", add(graph, x, read(graph, "total")))
    return graph


def signals() -> Graph:
    several = Signals(1)
    several.add("Rfft", [((30,), "int16")], [], [((34,), "int16")], T=7, fft_length=32)
    weights = [np.ones(4, "int16")] * 2 + [np.array(v, "int16") for v in ([0, 4], [0, 0], [4, 4])]
    several.add("FilterBank", [((40,), "uint32")], weights, [((1,), "uint64")], num_channels=1)
    return several.graph


MODELS = {
    "layers": layers().to_bytes(),
    "variables": variables().to_bytes(),
    "signals": signals().to_bytes(),
    "detections": two_boxes()[0].to_bytes(),
}


def c_code(model: bytes) -> str:
    pipeline = model_pipeline(model)
    program = read_program(lower(assemble(pipeline), Target(Profile.MCU)))
    return emit_unit(program, generate(program.functions), pipeline.stages, Profile.MCU).source


@pytest.mark.parametrize("name", MODELS)
def test_a_mutated_model_ends_in_code_or_a_clear_error(name: str) -> None:
    data = MODELS[name]
    refused: list[str] = []
    change = st.tuples(st.integers(0, len(data) - 1), st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF]))

    @settings(max_examples=60)
    @given(st.lists(change, min_size=1, max_size=4))
    def check(changes: list[tuple[int, int]]) -> None:
        damaged = bytearray(data)
        for place, value in changes:
            damaged[place] = value
        try:
            assert "int32_t run(void)" in c_code(bytes(damaged))
        except CompileError as error:
            refused.append(error.message)

    check()
    assert refused
    assert all("model.tflite" in message for message in refused)


def test_a_state_larger_than_any_small_machine_is_refused() -> None:
    graph, size = Graph("large"), (1 << 24) + 1
    x = graph.input("x", (size,), "int8")
    old = graph.tensor("old", (size,), "int8")
    graph.operator("READ_VARIABLE", [handle(graph, "all")], [old])
    assign(graph, "all", x)
    graph.output(old)
    with pytest.raises(CompileError) as caught:
        c_code(graph.to_bytes())
    assert "'x' keeps 16,777,217 bytes from run to run; at most 16,777,216" in caught.value.message
