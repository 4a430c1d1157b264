"""Resource variables against TensorFlow Lite Micro, over runs that follow each other."""

from __future__ import annotations

import numpy as np
import pytest

from builder.build import build_container
from builder.golden import GoldenOptions
from container.abi import Profile
from container.errors import CompileError
from container.manifest import MemoryPlan
from container.sections import Container
from container.tensors import Quantization
from examples.tflite_writer import Graph
from runtime.verify import verify
from tests.builder.model_runs import int8_samples, model_pipeline, run_ours, run_tflite_micro
from tests.builder.support import container_of, run_container

SHAPE = (1, 4)
KIND = Quantization((0.05,), (3,))


def handle(graph: Graph, name: str) -> int:
    number = graph.tensor(name, (), "resource")
    graph.operator("VAR_HANDLE", [], [number], container="", shared_name=name)
    return number


def read(graph: Graph, name: str, *, output: bool = False) -> int:
    value = graph.tensor(f"{name} read", SHAPE, "int8", KIND)
    graph.operator("READ_VARIABLE", [handle(graph, name)], [value])
    if output:
        graph.output(value)
    return value


def assign(graph: Graph, name: str, value: int) -> None:
    graph.operator("ASSIGN_VARIABLE", [handle(graph, name), value], [])


def add(graph: Graph, a: int, b: int) -> int:
    """The sum, which is an output too."""
    total = graph.tensor("sum", SHAPE, "int8", KIND)
    graph.operator("ADD", [a, b], [total])
    graph.output(total)
    return total


def begin_with(graph: Graph, name: str, *values: int) -> None:
    """Lets CALL_ONCE give a variable its first value."""
    initial = Graph("initialisation")
    assign(initial, name, initial.constant("first", np.array([values], "int8"), KIND))
    graph.subgraphs.append(initial)
    graph.operator("CALL_ONCE", [], [], init_subgraph_index=len(graph.subgraphs))


def started() -> tuple[Graph, int]:
    """A graph with its input."""
    graph = Graph("variables")
    return graph, graph.input("x", SHAPE, "int8", KIND)


def assert_as_the_reference(graph: Graph) -> dict[Profile, MemoryPlan]:
    """The memory plans of its container, whose results are those of TensorFlow Lite Micro."""
    model, samples = graph.to_bytes(), int8_samples([SHAPE], 1)
    container, expected = container_of(model_pipeline(model)), run_tflite_micro(model, samples)
    for profile in container.modules:
        found = run_container(container, profile, samples)
        np.testing.assert_array_equal(np.array(found), np.array(expected), str(profile))
    return dict(container.manifest.plans)


def names(plan: MemoryPlan) -> list[str]:
    return [operator.name for operator in plan.operators]


def test_a_running_sum_begins_at_the_zero_point() -> None:
    graph, x = started()
    assign(graph, "total", add(graph, x, read(graph, "total")))
    for plan in assert_as_the_reference(graph).values():
        assert plan.state == 4


def test_call_once_gives_the_first_value() -> None:
    graph, x = started()
    begin_with(graph, "total", -7, 0, 20, 90)
    assign(graph, "total", add(graph, x, read(graph, "total")))
    assert_as_the_reference(graph)


def test_a_variable_that_no_run_changes_is_a_constant() -> None:
    graph, x = started()
    begin_with(graph, "offset", -7, 0, 20, 90)
    add(graph, x, read(graph, "offset"))
    for plan in assert_as_the_reference(graph).values():
        assert plan.state == 0


def test_a_constant_and_the_input_are_kept_by_copying_them() -> None:
    graph, x = started()
    read(graph, "constant", output=True)
    read(graph, "last", output=True)
    assign(graph, "constant", graph.constant("c", np.array([[9, 8, 7, 6]], "int8"), KIND))
    assign(graph, "last", x)
    for plan in assert_as_the_reference(graph).values():
        assert names(plan) == ["read", "write", "write", "keep", "keep"]


def test_what_was_assigned_is_read_in_the_same_run() -> None:
    graph, x = started()
    assign(graph, "total", add(graph, x, read(graph, "total")))
    assign(graph, "total", add(graph, x, read(graph, "total")))
    assert_as_the_reference(graph)


def test_the_old_value_is_an_output_after_the_new_one_is_computed() -> None:
    graph, x = started()
    old = read(graph, "total", output=True)
    assign(graph, "total", add(graph, x, old))
    for plan in assert_as_the_reference(graph).values():
        assert names(plan) == ["read", "add_2", "write", "write", "keep"]


def test_an_output_is_the_old_value_though_the_new_one_owes_nothing_to_it() -> None:
    graph, x = started()
    read(graph, "last", output=True)
    assign(graph, "last", add(graph, x, x))
    for plan in assert_as_the_reference(graph).values():
        assert names(plan)[-1] == "keep"


def test_the_old_value_is_used_after_the_new_one_is_computed() -> None:
    graph, x = started()
    old = read(graph, "last")
    assign(graph, "last", add(graph, x, x))
    add(graph, x, old)
    for plan in assert_as_the_reference(graph).values():
        assert names(plan)[-1] == "keep"


def test_a_value_that_owes_nothing_to_the_old_one_is_computed_in_its_place() -> None:
    graph, x = started()
    add(graph, x, read(graph, "last"))
    assign(graph, "last", add(graph, x, x))
    for plan in assert_as_the_reference(graph).values():
        assert "keep" not in names(plan)


def test_a_chain_of_variables_moves_on_by_one_a_run() -> None:
    graph, x = started()
    first, second = read(graph, "first", output=True), read(graph, "second", output=True)
    assign(graph, "second", first)
    assign(graph, "first", x)
    assign(graph, "third", second)
    read(graph, "third", output=True)
    assert_as_the_reference(graph)


def test_two_variables_change_places() -> None:
    graph, x = started()
    begin_with(graph, "left", 1, 2, 3, 4)
    left, right = read(graph, "left", output=True), read(graph, "right", output=True)
    assign(graph, "left", right)
    assign(graph, "right", left)
    add(graph, x, left)
    for plan in assert_as_the_reference(graph).values():
        assert names(plan)[-4:] == ["save", "save", "keep", "keep"]


def test_a_value_computed_in_place_by_hand() -> None:
    """0.05 * (x - 3) adds up: 13, 13, 13 are steps of 10 from the zero point 3."""
    graph, x = started()
    assign(graph, "total", add(graph, x, read(graph, "total")))
    samples = [[np.full(SHAPE, 13, "int8")]] * 3
    for results in run_ours(graph.to_bytes(), samples).values():
        assert [int(outputs[0][0, 0]) for outputs in results] == [13, 23, 33]


def refusal(graph: Graph) -> str:
    with pytest.raises(CompileError) as caught:
        container_of(model_pipeline(graph.to_bytes()))
    return caught.value.message


def test_an_initialisation_that_computes_is_refused() -> None:
    graph, x = started()
    begin_with(graph, "total", 1, 2, 3, 4)
    first = graph.subgraphs[0]
    add(first, first.operators[1].inputs[1], first.operators[1].inputs[1])
    add(graph, x, read(graph, "total"))
    message = refusal(graph)
    assert "CALL_ONCE (node 0" in message
    assert "its subgraph uses ADD; supported: assigning constants" in message


def test_a_subgraph_that_is_not_there_is_refused() -> None:
    graph, x = started()
    graph.operator("CALL_ONCE", [], [], init_subgraph_index=5)
    add(graph, x, x)
    assert "it calls subgraph 5 of 1" in refusal(graph)


def test_a_variable_that_nothing_is_assigned_to_is_refused() -> None:
    graph, x = started()
    add(graph, x, read(graph, "total"))
    assert "nothing is assigned to the variable 'total'" in refusal(graph)


def test_a_read_of_another_size_is_refused() -> None:
    graph, x = started()
    assign(graph, "total", x)
    value = graph.tensor("two", (1, 2), "int8", KIND)
    graph.operator("READ_VARIABLE", [handle(graph, "total")], [value])
    graph.output(value)
    assert "tensor 'two' is int8[1, 2]; the variable holds 4 elements of int8" in refusal(graph)


def test_values_in_place_of_a_handle_are_refused() -> None:
    graph, x = started()
    graph.operator("ASSIGN_VARIABLE", [x, x], [])
    graph.output(x)
    assert "tensor 'x' is no handle of a variable" in refusal(graph)


def test_golden_vectors_each_begin_afresh() -> None:
    """A running sum from what CALL_ONCE gave it: the second vector does not know of the first."""
    graph, x = started()
    begin_with(graph, "total", -7, 0, 20, 90)
    assign(graph, "total", add(graph, x, read(graph, "total")))
    pipeline = model_pipeline(graph.to_bytes())
    report = verify(Container.parse(build_container(pipeline, golden=GoldenOptions(samples=3))))
    assert report.vectors == 3
    assert report.differences == ()
