"""What emulators have in common, and how one is started as a process of its own."""

from __future__ import annotations

import importlib
import re
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol

from container.errors import ExitCode, LinkError, RuneError, UsageError
from devices.board import Board, EmulatorKind
from devices.emulators.pty import Pty
from devices.emulators.stop import StopRequest

START_S = 20.0
STOP_S = 10.0
_MODULES = {
    EmulatorKind.UNICORN: "devices.emulators.nrf52840",
    EmulatorKind.QEMU: "devices.emulators.qemu",
    EmulatorKind.SIMAVR: "devices.emulators.simavr",
}
"""Each has a function `create(settings, pty)` that returns an `Emulator`."""
_MESSAGES_BYTES = 65_536


@dataclass(frozen=True)
class Settings:
    """What an emulator is made of."""

    board: Board
    firmware: bytes | None = None
    """Put in the place of the agent (AVR: of the whole flash) before the board starts."""
    state: Path | None = None
    """Keeps the flash: read at the start, if it is there, and written whenever the flash has changed."""
    count_instructions: bool = False
    """QEMU: one instruction takes a nanosecond of the board's time, so that its timers count instructions."""


class Emulator(Protocol):
    """An emulated board."""

    def run(self, stop: StopRequest) -> None:
        """Runs until asked to stop, then keeps the flash.

        Raises RuneError when a tool is missing and LinkError when the emulation cannot go on.
        """


def create(settings: Settings, pty: Pty) -> Emulator:
    """The emulator of a board, connected to a port.  Raises UsageError when the board has none."""
    choice = settings.board.emulator
    if choice is None:
        raise UsageError(
            f"the board {settings.board.name} has no emulator", hint="`rune boards` lists those that have one"
        )
    emulator: Emulator = importlib.import_module(_MODULES[choice.kind]).create(settings, pty)
    return emulator


class RunningEmulator:
    """An emulator in a process of its own.  Ends with its context, or with this process however that ends."""

    def __init__(self, board: Board, process: subprocess.Popen[bytes], messages: IO[bytes]) -> None:
        self._board = board
        self._process = process
        self._messages = messages
        self.port = Path(self._first_line())

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def messages(self) -> str:
        """What it said on stderr up to now, such as violations of the flash's rules."""
        self._messages.seek(0)
        return self._messages.read(_MESSAGES_BYTES).decode("utf-8", "replace").strip()

    def stop(self) -> None:
        """Ends the process after it has kept its flash; later calls change nothing.

        Raises LinkError when it does not end, or had ended with an error before.
        """
        if self._process.stdin is None or self._process.stdin.closed:
            return
        self._process.stdin.close()
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise LinkError(f"the emulated {self._board.name} did not end within {STOP_S:.0f} s") from None
        if code != 0:
            raise self._failure()

    def kill(self) -> None:
        """Ends it as a power failure would: at once, and nothing more is kept."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def __enter__(self) -> RunningEmulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except LinkError:
            if error is None:
                raise
        finally:
            self._close()

    def _close(self) -> None:
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._messages.close()

    def _first_line(self) -> str:
        line = self._read_line()
        match = re.fullmatch(r"port: (\S+)\n", line)
        if match is None:
            failure = self._failure()
            self.kill()
            self._close()
            raise failure
        return match[1]

    def _read_line(self) -> str:
        output = self._process.stdout
        assert output is not None
        deadline = time.monotonic() + START_S
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while not line.endswith(b"\n") and selector.select(deadline - time.monotonic()):
                byte = output.read(1)
                if not byte:
                    self._process.wait(STOP_S)
                    break
                line += byte
        return line.decode("utf-8", "replace")

    def _failure(self) -> RuneError:
        name, code, words = self._board.name, self._process.poll(), self.messages
        if code is None:
            return LinkError(f"the emulated {name} did not start within {START_S:.0f} s")
        match = re.search(r"^error: (.*?)(?:\nhint: (.*))?\Z", words, re.MULTILINE | re.DOTALL)
        kind = RuneError if code == ExitCode.FAILED else LinkError
        if match is None:
            return kind(f"the emulated {name} ended (status {code}): {words[-500:] or 'it said nothing'}")
        return kind(f"the emulated {name} ended: {match[1]}", hint=match[2])


def start_emulator(
    board: Board,
    *,
    firmware: bytes | None = None,
    state: Path | None = None,
    baud_limit: bool = False,
    count_instructions: bool = False,
) -> RunningEmulator:
    """Starts the emulator of a board; use it as a context.

    `firmware` and `state` are those of `Settings`.  With `baud_limit` the port is as slow as a cable of the
    board's baud rate; without it tests do not have to wait.  Raises RuneError when a tool is missing, and
    LinkError when the emulator does not start within 20 s.
    """
    command = [sys.executable, "-m", "devices.emulators", board.name]
    command += ["--state", str(state.resolve())] if state else []
    command += ["--baud-limit"] if baud_limit else []
    command += ["--count-instructions"] if count_instructions else []
    with tempfile.NamedTemporaryFile(prefix="rune-firmware-") as file:
        if firmware is not None:
            file.write(firmware)
            file.flush()
            command += ["--firmware", file.name]
        messages = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the RunningEmulator
        process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=messages,
            bufsize=0,
            start_new_session=True,
        )
        return RunningEmulator(board, process, messages)
