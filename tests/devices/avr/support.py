"""AVR boards in simavr, spoken to as over a cable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from container.sections import Container
from devices import board as boards
from devices.avr.build import AvrBuild, build_avr_image
from devices.avr.stream import BootedStream
from devices.board import Board
from devices.emulators.base import RunningEmulator, start_emulator
from devices.execution import BoardApplication
from devices.link.session import Session
from tests.devices.aot import containers


@cache
def example_image(example: str, board: str) -> AvrBuild:
    """The image of a container of examples/, built once."""
    return build_avr_image(containers.example(example), boards.load(board))


def open_session(emulator: RunningEmulator) -> Session:
    return Session(lambda: BootedStream(str(emulator.port), 115_200))


@contextmanager
def running(
    container: Container, board: Board, firmware: bytes, *, deadline_s: float = 10.0
) -> Iterator[tuple[BoardApplication, Session]]:
    """A board whose flash holds an image from the start."""
    with start_emulator(board, firmware=firmware) as emulator:
        session = open_session(emulator)
        with BoardApplication(container, session, deadline_s=deadline_s) as application:
            yield application, session
