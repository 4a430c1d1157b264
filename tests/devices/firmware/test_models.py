"""Real containers on emulated boards, fed by the host: every byte as on this machine."""

from __future__ import annotations

import pytest

from container.sections import Container
from devices.aot.build import build_image
from devices.board import find
from devices.execution import BoardApplication
from devices.firmware.build import STACK_BYTES
from devices.flash import flash
from devices.link import agent
from tests.devices.aot.containers import example, model, vectors
from tests.devices.firmware.boards import connect, running_board

SPARE_BYTES = 128
CASES = [
    ("mps2-an386", "kws"),
    ("mps2-an386", "examples/digits"),
    ("nrf52840", "kws"),
    ("microbit", "micro_speech"),
    ("microbit", "examples/sine"),
]


def container(name: str) -> Container:
    folder, _, file = name.rpartition("/")
    return example(file) if folder else model(name)


@pytest.mark.parametrize(("name", "what"), CASES)
def test_golden_vectors_hold(name: str, what: str) -> None:
    app, board = container(what), find(name)
    with running_board(name) as port, connect(port) as session:
        flashed = flash(app, board, session, lambda slot: build_image(app, board, slot).image)
        assert flashed.container_sha256 == app.digest
        with BoardApplication(app, session) as application:
            for vector in vectors(app):
                assert application.infer(vector.inputs).outputs == vector.outputs
        found = agent.statistics(session)
        assert found.runs >= len(vectors(app))
        assert found.faults == 0
        stages = {operator for operator, _ in found.marks}
        assert stages
        assert sum(cycles for _, cycles in found.marks) <= found.cycles
        assert found.agent <= STACK_BYTES - SPARE_BYTES, "the agent's stack is all but used up"
