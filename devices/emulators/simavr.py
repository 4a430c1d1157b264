"""Arduino boards with an AVR, in simavr, with their real bootloaders.

A small C program on libsimavr (`simavr_board.c`) is compiled here: Debian's `simavr` command
resets no chip when its port is opened, keeps no flash and is not held to the speed of the crystal, without
which the time-outs of bootloaders come too early.
"""

from __future__ import annotations

import hashlib
import select
import subprocess
import tempfile
from pathlib import Path

from container.cache import cached
from container.errors import LinkError, RuneError
from container.programs import run_program
from devices.board import Board
from devices.emulators.base import Settings
from devices.emulators.bootloaders import bootloader, start_address
from devices.emulators.flash_file import ERASED, FlashFile
from devices.emulators.pty import Pty
from devices.emulators.stop import StopRequest

SOURCE = Path(__file__).with_name("simavr_board.c")
PACKAGES_HINT = "install the Debian packages `libsimavr-dev` and `gcc`"
_COMPILE_S = 60
_START_S = 10


def create(settings: Settings, pty: Pty) -> SimavrBoard:
    """A board in simavr, started.  Raises RuneError when a tool is missing."""
    return SimavrBoard(settings, pty)


class SimavrBoard:
    """The process that emulates the chip; it moves the port's bytes and writes the flash itself."""

    def __init__(self, settings: Settings, pty: Pty) -> None:
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory(prefix="rune-simavr-")
        try:
            state = settings.state or Path(self._folder.name) / "flash.bin"
            _prepare_flash(settings, state)
            self._process = _start(_program(), settings.board, state, pty)
        except BaseException:
            self._folder.cleanup()
            raise

    def run(self, stop: StopRequest) -> None:
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        try:
            readable, _, _ = select.select([stop.fileno(), output], [], [])
            if output in readable:
                raise LinkError(f"simavr ended the emulation (status {self._process.wait()})")
        finally:
            self._process.kill()
            self._process.wait()
            self._folder.cleanup()


def _prepare_flash(settings: Settings, state: Path) -> None:
    """Puts what the flash holds at the start into its file, the bootloader where there is none."""
    board = settings.board
    content = FlashFile(settings.state, board).load(settings.firmware)
    start = start_address(board) - board.flash.start
    if content[start:].strip(ERASED) == b"":
        content = content[:start] + bootloader(board)
    FlashFile(state, board).save(content)


def _program() -> Path:
    """The program in `simavr_board.c`, from the cache where the same was compiled before.

    The same is what the preprocessor makes of it, which has libsimavr's own declarations in it.
    """
    text = _gcc("-E", "-P", str(SOURCE))

    def build(folder: Path, name: str) -> None:
        _gcc("-O2", str(SOURCE), "-lsimavr", "-o", str(folder / name))

    return cached(f"simavr/board-{hashlib.sha256(text.encode()).hexdigest()}", build)


def _gcc(*arguments: str) -> str:
    """Its standard output.  Raises RuneError."""
    done = run_program(["gcc", "-std=c17", *arguments], timeout_s=_COMPILE_S, install=PACKAGES_HINT)
    if done.status != 0:
        raise RuneError(f"libsimavr cannot be used:\n{done.stderr.strip()[:1000]}", hint=PACKAGES_HINT)
    return done.stdout


def _start(program: Path, board: Board, state: Path, pty: Pty) -> subprocess.Popen[bytes]:
    """Starts the emulation.  Raises LinkError when it does not say that it is ready."""
    assert board.emulator is not None
    terminal = pty.fileno()
    process = subprocess.Popen(
        [
            *(str(program), board.emulator.machine, str(board.cpu.clock_hz), str(state.resolve())),
            *(str(start_address(board)), str(terminal), str(pty.path)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        pass_fds=(terminal,),
        start_new_session=True,
    )
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _START_S)
    if not ready or process.stdout.readline() != b"ready\n":
        process.kill()
        raise LinkError(f"simavr did not start (status {process.wait()})")
    return process
