"""Emulated boards that run the agent, and the steps that tests of them share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from devices.board import find
from devices.emulators.base import start_emulator
from devices.firmware.build import build_agent
from devices.link import agent
from devices.link.messages import Phase, State
from devices.link.session import Session
from devices.link.stream import SerialStream
from devices.link.upload import upload
from tests.tools import needs

_NUMBERS = count(1)


@contextmanager
def running_board(name: str) -> Iterator[str]:
    """The serial port of a fresh board in QEMU."""
    needs("qemu-system-arm")
    board = find(name)
    with start_emulator(board, firmware=build_agent(board).image) as emulator:
        port = str(emulator.port)
        connect(port).close()  # it has started when it answers
        yield port


def connect(port: str) -> Session:
    return Session(lambda: SerialStream(port, 115_200))


def install(session: Session, image: bytes) -> State:
    """Upload an image, keep it for good and start it."""
    upload(session, image)
    agent.confirm(session, image[-32:])
    return settled(session, agent.control(session, start=True))


def settled(session: Session, state: State) -> State:
    """The state as soon as the board no longer computes."""
    while state.st == Phase.COMPUTES:
        state = agent.control(session)
    return state


def begin(session: Session, *, reset: bool = False) -> State:
    """The next inference, where it first waits."""
    return settled(session, agent.begin(session, next(_NUMBERS), reset=reset))


def feed(session: Session, state: State, data: bytes) -> State:
    """All of a sample."""
    return settled(session, agent.feed(session, state, 0, data))


def take(session: Session, state: State) -> State:
    """Confirm that a value was taken."""
    return settled(session, agent.take(session, state, state.len))
