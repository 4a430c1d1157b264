"""Boards at a port of which nobody said what is there: an agent is asked at once, a bootloader waited for."""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from container.errors import ExitCode, LinkError
from container.sections import seal
from devices import board as boards
from devices.avr import stream
from devices.connection import Place
from devices.emulators.base import start_emulator
from devices.link.session import Patience, Session
from devices.link.stream import SerialStream
from tests.devices.aot import containers
from tests.devices.avr.support import example_image
from tests.devices.link import applications
from tests.devices.link.pty_board import plugged_in
from tests.rune.commands import rune
from tests.tools import needs_simavr


@pytest.mark.parametrize("name", ["uno", "mega2560"])
def test_a_board_with_a_bootloader_is_reached(name: str, tmp_path: Path) -> None:
    needs_simavr()
    image = example_image("sine/int8.Runefile", name)
    with (
        start_emulator(boards.load(name), firmware=image.data) as emulator,
        Place(tmp_path, port=str(emulator.port)) as place,
        place.connect() as session,
    ):
        assert place.board is None
        assert session.facts.board == name
        assert (session.reopened, session.repetitions) == (0, 0)


def test_run_and_verify_find_the_board_at_a_bare_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_simavr()
    monkeypatch.chdir(tmp_path)
    board, app = boards.load("mega2560"), containers.example("sine/int8.Runefile")
    Path("sine.rune").write_bytes(seal(app.manifest, app.modules, app.golden))
    with start_emulator(board, firmware=example_image("sine/int8.Runefile", "mega2560").data) as emulator:
        verified = rune("verify", "sine.rune", "--port", emulator.port)
        ran = rune("run", "sine.rune", "--port", emulator.port, "--random", 1)
    assert "equal in mcu on mega2560" in verified.stdout
    assert ran.stdout == rune("run", "sine.rune", "--random", 1, "--profile", "mcu").stdout
    assert ran.exit_code == ExitCode.OK


def test_a_board_with_an_agent_is_neither_reset_nor_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_reset(self: SerialStream) -> None:
        raise AssertionError("the board was reset")

    monkeypatch.setattr(SerialStream, "pulse_lines", no_reset)
    monkeypatch.setattr(stream, "ANSWER_S", 20.0)
    board = applications.board()
    with plugged_in(board) as port, Place(tmp_path, port=port).connect() as session:
        assert session.facts.board == "nrf52840"
    assert board.resets == 0


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A port at whose other end nobody is."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    yield os.ttyname(theirs)
    os.close(theirs)
    os.close(ours)


def test_a_silent_port_is_reset_once_and_given_up(silent_port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pulses = []
    monkeypatch.setattr(SerialStream, "pulse_lines", lambda self: pulses.append(self))
    monkeypatch.setattr(stream, "START_S", 0.1)
    monkeypatch.setattr(stream, "ANSWER_S", 0.1)
    patience = Patience(answer_s=0.1, greeting_s=0.1)
    with pytest.raises(LinkError, match="no agent of Rune answers"):
        Session(lambda: stream.open_unknown(silent_port, 115_200), patience=patience)
    assert len(pulses) == 1


def test_lines_that_a_pseudo_terminal_has_not_do_not_matter(silent_port: str) -> None:
    line = SerialStream(silent_port, 115_200)
    line.pulse_lines()
    line.write(b"still open")
    line.close()
