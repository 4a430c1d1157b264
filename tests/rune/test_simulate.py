"""`rune simulate`: a board that other programs find at the port it prints."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import serial

from container.errors import ExitCode
from tests.rune.commands import ROOT, rune

ANSWER_S = 30.0


@contextmanager
def simulation(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, with nothing on its stdin, and its port."""
    code = "from rune.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "simulate", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], ANSWER_S)[0]
            match = re.fullmatch(r"port: (/\S+)\n", process.stdout.readline())
            assert match is not None
            yield process, match[1]
        finally:
            process.kill()


def test_it_runs_until_interrupted_and_keeps_the_flash(tmp_path: Path) -> None:
    state = tmp_path / "board.flash"
    with simulation("nrf52840", "--state", state) as (process, port):
        assert Path(port).is_char_device()
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(ANSWER_S) == ExitCode.INTERRUPTED
        assert process.stderr is not None
        assert f"rune flash APP.rune --board nrf52840 --port {port}" in process.stderr.read()
    content = state.read_bytes()
    assert len(content) == 1 << 20
    # The agent's vectors: a stack in RAM, an entry in flash; behind it nothing was written.
    stack, entry = (int.from_bytes(content[k : k + 4], "little") for k in (0, 4))
    assert 0x2000_0000 < stack <= 0x2004_0000
    assert entry < 0x8000
    assert content[0x1_0000:] == b"\xff" * (len(content) - 0x1_0000)


def test_a_board_without_its_agent_answers_nothing(tmp_path: Path) -> None:
    state = tmp_path / "board.flash"
    with simulation("nrf52840", "--bare", "--state", state) as (process, _):
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(ANSWER_S) == ExitCode.INTERRUPTED
    assert state.read_bytes() == b"\xff" * (1 << 20)


def test_a_board_that_does_not_exist_is_refused() -> None:
    result = rune("simulate", "nrf52841")
    assert result.exit_code == ExitCode.USAGE
    assert "did you mean `nrf52840`?" in result.stderr


def test_the_state_of_another_board_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "board.flash"
    state.write_bytes(b"short")
    result = rune("simulate", "nrf52840", "--state", state)
    assert result.exit_code == ExitCode.FAILED
    assert "has 5 bytes; the flash of nrf52840 has 1,048,576" in result.stderr
    assert state.read_bytes() == b"short"


def test_the_port_is_as_slow_as_a_cable() -> None:
    with simulation("nrf52840", "--baud-limit") as (_, port), serial.Serial(port, timeout=ANSWER_S) as line:
        # A request in console framing: echo of 400 letters, OS group, which is answered by as many.
        request = echo_request("x" * 400)
        began = time.monotonic()
        line.write(request)
        answer = line.read(len(request) - 16)
        seconds = time.monotonic() - began
        assert len(answer) == len(request) - 16
        # 10 bits for each byte, of request and answer one after the other.
        assert seconds > 0.9 * (len(request) + len(answer)) * 10 / 115_200


def echo_request(words: str) -> bytes:
    """As a client of SMP sends it."""
    from smp import packet
    from smp.os_management import EchoWriteRequest

    return b"".join(packet.encode(bytes(EchoWriteRequest(d=words)), 127))
