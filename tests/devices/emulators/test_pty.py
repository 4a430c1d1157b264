"""The serial port of emulated boards: as bounded and as slow as a cable."""

from __future__ import annotations

import os
import termios
from collections.abc import Iterator

import pytest

from devices.emulators.pty import BACKLOG_BYTES, Pty, Rate


@pytest.fixture
def pty() -> Iterator[Pty]:
    with Pty() as opened:
        yield opened


def read_all(descriptor: int) -> bytes:
    received = b""
    while True:
        try:
            received += os.read(descriptor, 65_536)
        except BlockingIOError:
            return received


def test_every_byte_passes_both_ways_as_it_is(pty: Pty) -> None:
    every = bytes(range(256))
    client = os.open(pty.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    pty.send(every)
    assert read_all(client) == every
    os.write(client, every)
    assert pty.receive(4096) == every
    assert pty.receive(4096) == b""
    # Nothing came back as an echo.
    assert read_all(client) == b""
    os.close(client)


def test_a_client_that_comes_again_finds_it_as_it_was(pty: Pty) -> None:
    for _ in range(3):
        client = os.open(pty.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        assert not termios.tcgetattr(client)[3] & termios.ECHO
        os.write(client, b"\n")
        assert pty.receive(4096) == b"\n"
        os.close(client)
    assert pty.receive(4096) == b""


def test_what_nobody_reads_is_lost_and_never_waited_for(pty: Pty) -> None:
    for _ in range(64):
        pty.send(b"x" * 65_536)
    assert pty.backlog <= BACKLOG_BYTES
    client = os.open(pty.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    received = b""
    while chunk := read_all(client):
        received += chunk
        pty.flush()
    os.close(client)
    # The first ones, and no more than the system and the port keep.
    assert BACKLOG_BYTES <= len(received) < 64 * 65_536
    assert pty.backlog == 0


def test_a_line_of_115200_baud_carries_11520_bytes_a_second() -> None:
    now = 0.0
    rate = Rate(115_200, clock=lambda: now)
    passed = 0
    for step in range(1000):
        now = step / 1000
        allowed = rate.allowed()
        rate.spend(allowed)
        passed += allowed
    assert 11_500 <= passed <= 11_521
    # After a long pause no more than 5 ms have been saved up.
    now += 60.0
    assert rate.allowed() == 57
