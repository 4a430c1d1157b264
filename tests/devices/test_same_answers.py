"""Boards give the very bytes of the references: each golden vector, by the agent, over a serial port."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from container.golden import parse
from container.manifest import Optimization
from container.sections import Container
from devices.board import find
from devices.connection import SIM, Place
from devices.deployment import deploy
from devices.execution import BoardApplication
from devices.firmware.build import STACK_BYTES
from devices.link import agent
from tests.devices.aot.containers import MODELS, example, model
from tests.shared import shared_path
from tests.tools import needs

QEMU = "qemu-system-arm"
BOARDS = {"nrf52840": None, "mps2-an386": QEMU, "microbit": QEMU, "netduinoplus2": QEMU}
"""Each with the program that emulates it."""
WITHOUT_CYCLES = ("netduinoplus2",)
"""QEMU has no model of the DWT unit, whose counter the agent of STM32 reads."""
NETWORKS = ("kws", "resnet", "anomaly", "micro_speech")
EXAMPLES = ("digits", "sine/int8.Runefile")
SPARE_BYTES = 128
"""Of the agent's stack, never used."""
ROOMY = ("nrf52840", "mps2-an386")
CASES = [
    *((board, name) for board in ROOMY for name in (*NETWORKS, *EXAMPLES)),
    *(("microbit", name) for name in ("micro_speech", *EXAMPLES)),
    *(("netduinoplus2", name) for name in ("kws", *EXAMPLES)),
]
SMALL = [("mps2-an386", "kws"), ("mps2-an386", "resnet"), ("microbit", "micro_speech")]
"""What is built for size too."""

Vector = tuple[dict[str, bytes], dict[int, bytes]]
"""Samples by capability, values by number of `write`."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    """The boards that were started, by name; they end with the module."""
    started: dict[str, Place] = {}
    yield started
    for place in started.values():
        place.close()


def place_of(name: str, places: dict[str, Place], folder: Path) -> Place:
    if name not in places:
        places[name] = Place(folder, board=find(name), port=SIM, fresh=True)
    return places[name]


@cache
def vectors(name: str) -> list[Vector]:
    """Of TensorFlow Lite Micro's reference kernels: what is published with a model, else what is sealed."""
    container = container_of(name)
    if name in EXAMPLES:
        assert container.golden is not None
        return [(dict(v.inputs), dict(v.outputs)) for v in parse(container.golden, container.manifest)]
    arrays = np.load(shared_path(f"models/{MODELS[name][0]}").with_suffix(".golden.npz"))
    pairs = [
        pair for kind in ("", "r") for pair in zip(arrays[f"{kind}in0"], arrays[f"{kind}out0"], strict=True)
    ]
    return [({"x": given.tobytes()}, {0: expected.tobytes()}) for given, expected in pairs]


def container_of(name: str, optimization: Optimization = Optimization.BALANCED) -> Container:
    return example(name) if name in EXAMPLES else model(name, optimization)


@pytest.mark.parametrize(
    ("board", "name", "optimization"),
    [
        *((board, name, Optimization.BALANCED) for board, name in CASES),
        *((board, name, Optimization.SIZE) for board, name in SMALL),
    ],
)
def test_board_gives_the_bytes_of_every_golden_vector(
    board: str, name: str, optimization: Optimization, places: dict[str, Place], tmp_path: Path
) -> None:
    if (program := BOARDS[board]) is not None:
        needs(program)
    container, place = container_of(name, optimization), place_of(board, places, tmp_path)
    deploy(container, place)
    wrong = []
    with place.connect() as session, BoardApplication(container, session) as application:
        for number, (samples, expected) in enumerate(vectors(name)):
            if application.infer(samples).outputs != expected:
                wrong.append(number)
        statistics = agent.statistics(session)
    assert wrong == []
    assert len(vectors(name)) >= 4
    assert (statistics.runs >= len(vectors(name)), statistics.faults) == (True, 0)
    counted = sum(cycles for _, cycles in statistics.marks)
    assert counted <= statistics.cycles
    assert (counted > 0) == (board not in WITHOUT_CYCLES)
    assert statistics.agent <= STACK_BYTES - SPARE_BYTES, "the agent's stack is all but used up"
