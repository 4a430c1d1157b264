"""Whole containers on the cores of boards: the same bytes as on this machine."""

from __future__ import annotations

import pytest

from container.abi import Profile
from container.golden import parse
from container.manifest import Optimization
from container.sections import Container
from devices import board as boards
from devices.aot.build import build_image
from runtime.application import Application
from tests.devices.aot import containers
from tests.devices.aot.harness import INSTANTIATE, Machine, run_vector

CORES = ("cortex-m0", "cortex-m3", "cortex-m4f", "cortex-m7f")


def assert_equal_on(core: str, container: Container, count: int = 4) -> Machine:
    board = containers.board_with(core)
    machine = Machine(build_image(container, board), board)
    assert machine.task(INSTANTIATE) == 0
    for vector in containers.vectors(container, count):
        assert run_vector(machine, container.manifest, vector) == vector.outputs
    assert machine.stack_used <= machine.build.stack_bytes - 36
    return machine


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("path", ["sine", "digits"])
def test_examples_on_every_core(core: str, path: str) -> None:
    assert_equal_on(core, containers.example(path))


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4f"])
@pytest.mark.parametrize("path", ["sine/int8.Runefile", "blocks"])
def test_more_examples(core: str, path: str) -> None:
    assert_equal_on(core, containers.example(path))


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4f"])
@pytest.mark.parametrize("name", ["micro_speech", "hello_float"])
def test_small_models(core: str, name: str) -> None:
    assert_equal_on(core, containers.model(name))


@pytest.mark.parametrize(("name", "count"), [("kws", 2), ("anomaly", 2), ("resnet", 1)])
def test_models_with_a_dsp(name: str, count: int) -> None:
    assert_equal_on("cortex-m4f", containers.model(name), count)


@pytest.mark.parametrize("name", ["kws", "anomaly"])
def test_models_on_the_smallest_core(name: str) -> None:
    assert_equal_on("cortex-m0", containers.model(name), 1)


def test_integer_models_give_the_golden_bytes() -> None:
    container = containers.example("digits")
    assert container.golden is not None
    board = boards.find("nrf52840")
    machine = Machine(build_image(container, board), board)
    machine.task(INSTANTIATE)
    for vector in parse(container.golden, container.manifest):
        assert run_vector(machine, container.manifest, vector) == vector.outputs


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4f"])
def test_fast_code_gives_the_golden_bytes(core: str) -> None:
    container, board = containers.model("resnet", Optimization.SPEED), containers.board_with(core)
    assert b"rune_ssub16" in container.modules[Profile.MCU]
    assert container.golden is not None
    machine = Machine(build_image(container, board), board)
    machine.task(INSTANTIATE)
    vector, *_ = parse(container.golden, container.manifest)
    assert run_vector(machine, container.manifest, vector) == vector.outputs
    with Application(container, profile=Profile.MCU) as application:
        assert application.infer(vector.inputs).outputs == vector.outputs


def test_a_mark_for_each_stage_or_each_operator() -> None:
    container, board = containers.example("digits"), boards.find("nrf52840")
    vector = containers.vectors(container, 1)[0]
    marks = {}
    for which in ("stages", "operators"):
        machine = Machine(build_image(container, board, marks=which), board)
        machine.task(INSTANTIATE)
        run_vector(machine, container.manifest, vector)
        marks[which] = machine.marks
        assert machine.progress == machine.marks[-1]
    operators = container.manifest.plans[Profile.MCU].operators
    names = [operators[number].stage for number in marks["stages"]]
    assert names == ["picture", "digits", "best", "word", "serial"]
    assert marks["operators"] == list(range(len(operators)))
