"""avrdude's failures as ours: bounded, and with what helps."""

from __future__ import annotations

import os
import time
import tty
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from container.errors import LinkError, PortError, RuneError, UsageError
from devices import board as boards
from devices.emulators.base import start_emulator
from devices.loaders import avrdude
from tests.tools import needs, needs_simavr

UNO, MEGA = boards.load("uno"), boards.load("mega2560")
WORD = ":020000000C945E\n:00000001FF\n"


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A port at whose other end nobody is."""
    needs("avrdude")
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    yield os.ttyname(theirs)
    os.close(theirs)
    os.close(ours)


def test_a_silent_port_is_given_up(silent_port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avrdude, "ATTEMPTS", 1)
    with pytest.raises(LinkError, match=r"no bootloader answers: avrdude: .*not in sync") as caught:
        avrdude.write_image(UNO, WORD, silent_port)
    assert "right board" in (caught.value.hint or "")
    assert "TIOCM" not in caught.value.message


def test_no_loader_may_take_for_ever(silent_port: str) -> None:
    start = time.monotonic()
    with pytest.raises(LinkError, match="the bootloader was not done after 1 s"):
        avrdude.write_image(MEGA, WORD, silent_port, timeout_s=1.0)
    assert time.monotonic() - start < 5


def test_another_chip_is_told() -> None:
    needs_simavr()
    # The Uno's bootloader answers whatever part it is asked for, with its own signature.
    asked = replace(UNO, cpu=replace(UNO.cpu, model="atmega168p"))
    with start_emulator(UNO) as emulator:
        with pytest.raises(LinkError, match="another chip answers") as caught:
            avrdude.write_image(asked, WORD, str(emulator.port))
        assert "--board" in (caught.value.hint or "")


def test_a_port_that_is_none_is_named(tmp_path: Path) -> None:
    needs("avrdude")
    with pytest.raises(PortError, match="there is no such port"):
        avrdude.write_image(UNO, WORD, str(tmp_path / "ttyACM7"))
    file = tmp_path / "file"
    file.write_text("no port")
    with pytest.raises(PortError, match="cannot be opened: Inappropriate ioctl for device"):
        avrdude.write_image(UNO, WORD, str(file))


def test_a_missing_program_is_named(silent_port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RuneError, match="the program `avrdude` is not installed") as caught:
        avrdude.write_image(UNO, WORD, silent_port)
    assert caught.value.hint == "apt install avrdude"


def test_boards_with_an_agent_are_refused() -> None:
    with pytest.raises(UsageError, match="microbit: its containers do not come through avrdude"):
        avrdude.write_image(boards.load("microbit"), WORD, "/dev/null")


@pytest.mark.parametrize(
    ("stderr", "error", "words", "hint"),
    [
        (
            "avrdude OS error: cannot open port /dev/ttyACM0: Permission denied\n",
            PortError,
            "cannot be opened: Permission denied",
            "dialout",
        ),
        (
            "avrdude OS error: cannot open port /dev/ttyACM0: Device or resource busy\n",
            PortError,
            "Device or resource busy",
            "close what uses the port",
        ),
        (
            "avrdude error: verification mismatch, first mismatch at byte 0x0012\n",
            LinkError,
            "was not written: avrdude: verification mismatch",
            "try again",
        ),
        ("", LinkError, "it gave no reason", "try again"),
    ],
)
def test_words_become_errors_and_cures(stderr: str, error: type[RuneError], words: str, hint: str) -> None:
    found = avrdude._failure("/dev/ttyACM0", stderr)
    assert type(found) is error
    assert words in found.message
    assert hint in (found.hint or "")
