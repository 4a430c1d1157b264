"""Containers on emulated Arduino boards, through their real bootloaders and avrdude."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from container.golden import parse
from container.sections import Container
from devices import board as boards
from devices.avr.build import build_avr_image
from devices.emulators.base import start_emulator
from devices.execution import BoardApplication
from devices.link import agent
from devices.link.session import Session
from devices.loaders.avrdude import flash_avr
from tests.devices.aot import containers
from tests.devices.avr.support import need_emulator, open_session, running


@pytest.fixture(autouse=True)
def tools() -> None:
    need_emulator()


def check_vectors(container: Container, application: BoardApplication, count: int) -> None:
    """Every bit as this machine has it; golden vectors of integers are the reference engine's."""
    assert container.golden is not None
    for vector in parse(container.golden, container.manifest)[:count]:
        assert application.infer(vector.inputs).outputs == vector.outputs


def check_stack(session: Session, bound: int) -> None:
    """What was used is less than what was promised, and not far from it."""
    used = agent.statistics(session).stack
    assert bound / 3 < used <= bound


@pytest.mark.parametrize(
    ("name", "examples"), [("uno", ("sine/int8.Runefile", "digits")), ("mega2560", ("digits",))]
)
def test_containers_arrive_through_avrdude_and_answer_as_their_golden_vectors(
    name: str, examples: Sequence[str]
) -> None:
    board = boards.load(name)
    with start_emulator(board) as emulator:
        for example in examples:
            container, phases = containers.example(example), list[str]()
            flashed = flash_avr(container, board, str(emulator.port), phases.append)
            assert phases == ["translate", "upload", "start"]
            assert flashed.container_sha256 == container.digest
            session = open_session(emulator)
            with BoardApplication(container, session) as application:
                check_vectors(container, application, 3)
                check_stack(session, flashed.build.stack_bytes)


@pytest.mark.parametrize(
    ("board", "model", "count"), [("uno", "hello_float", 4), ("mega2560", "micro_speech", 1)]
)
def test_models_give_the_bits_of_this_machine(board: str, model: str, count: int) -> None:
    container = containers.model(model)
    image = build_avr_image(container, boards.load(board))
    with running(container, boards.load(board), image.data) as (application, session):
        for vector in containers.vectors(container, count):
            assert application.infer(vector.inputs).outputs == vector.outputs
        check_stack(session, image.stack_bytes)
        assert agent.statistics(session).runs == count
