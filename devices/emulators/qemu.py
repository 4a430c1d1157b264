"""Boards that QEMU emulates, with flash that outlives resets and the process.

QEMU lays whatever it was started with back into memory at each reset of the guest, so a reset here is a new
QEMU process, started with the flash as it stood; the port stays the same.

- `microbit` has a real model of the flash controller.
- `mps2-an386` has no flash: its code memory is SRAM, which the agent treats as if it were NOR.
- `netduinoplus2` has read-only flash: nothing that it writes arrives there.
"""

from __future__ import annotations

import ctypes
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from container.errors import LinkError, RuneError
from devices.board import Board, Region
from devices.emulators.base import Settings
from devices.emulators.flash_file import FlashFile
from devices.emulators.pty import Pty
from devices.emulators.qmp import QmpClient
from devices.emulators.stop import StopRequest

PROGRAM = "qemu-system-arm"
PACKAGE_HINT = "install the Debian package `qemu-system-arm`; `rune doctor` shows what else is missing"
QUIET_S = 0.2
"""The flash is kept once the serial line has been quiet for so long after traffic."""
NUDGE_S = 0.05
_NUDGED_FOR_S = 10.0
_PENDING_BYTES = 4096
_END_S = 5.0
_PR_SET_PDEATHSIG = 1
_MESSAGES = "messages.txt"
_MESSAGES_BYTES = 500


def create(settings: Settings, pty: Pty) -> QemuBoard:
    """A board in QEMU, started.  Raises RuneError when QEMU is not installed."""
    check_installed(settings.board)
    return QemuBoard(settings, pty)


def check_installed(board: Board) -> None:
    """Raises RuneError when QEMU is not installed."""
    if shutil.which(PROGRAM) is None:
        raise RuneError(f"{board.name} needs {PROGRAM}, which is not installed", hint=PACKAGE_HINT)


class QemuBoard:
    """Carries bytes between the port and QEMU, keeps the flash, and starts QEMU anew at each reset."""

    def __init__(self, settings: Settings, pty: Pty) -> None:
        self._settings = settings
        self._pty = pty
        self._flash = FlashFile(settings.state, settings.board)
        self._pending = b""
        """From the client, not yet taken by QEMU."""
        self._changed_at: float | None = None
        """When the line last carried something, where the flash was not kept since."""
        self._unanswered_since: float | None = None
        """Since when QEMU has bytes to which the board has not said anything."""
        self._nudged_at = 0.0
        content = self._flash.load(settings.firmware)
        self._flash.save(content)
        self._machine = Machine.start(settings, content)

    def run(self, stop: StopRequest) -> None:
        try:
            while not stop.requested:
                self._step(stop)
            self._keep_flash()
        finally:
            self._machine.end()

    def _step(self, stop: StopRequest) -> None:
        """Waits until something can be done, and does it."""
        machine, pty = self._machine, self._pty
        uart, port = machine.uart.fileno(), pty.fileno()
        sources = [stop.fileno(), uart, machine.qmp.fileno(), *([port] if self._wants_input() else [])]
        sinks = ([uart] if self._pending else []) + ([port] if pty.backlog and not pty.wait_s() else [])
        _, writable, _ = select.select(sources, sinks, [], self._timeout())
        if self._wants_input():
            self._pending += pty.receive(_PENDING_BYTES - len(self._pending))
        if uart in writable:
            self._send_pending()
        self._receive_output()
        pty.flush()
        self._keep_flash_when_quiet()
        self._nudge()
        self._receive_output()
        if any(event["event"] == "SHUTDOWN" for event in machine.qmp.events()):
            self._restart()

    def _wants_input(self) -> bool:
        return len(self._pending) < _PENDING_BYTES and not self._pty.wait_s()

    def _timeout(self) -> float | None:
        """Seconds until something is due without any byte arriving."""
        quiet = None if self._changed_at is None else self._changed_at + QUIET_S - time.monotonic()
        nudge = None if self._unanswered_since is None else NUDGE_S
        due = [seconds for seconds in (quiet, nudge, self._pty.wait_s() or None) if seconds is not None]
        return max(0.0, min(due)) if due else None

    def _send_pending(self) -> None:
        try:
            sent = self._machine.uart.send(self._pending)
        except BlockingIOError:
            return
        except OSError:
            raise self._machine.failure() from None
        self._pending = self._pending[sent:]
        self._changed_at = time.monotonic()
        self._unanswered_since = self._unanswered_since or self._changed_at

    def _receive_output(self) -> None:
        data = self._machine.output.take()
        if not data and self._machine.output.is_closed:
            raise self._machine.failure()
        if not data:
            return
        self._pty.send(data)
        self._changed_at = time.monotonic()
        self._unanswered_since = None

    def _restart(self) -> None:
        self._receive_output()
        content = self._machine.flash()
        self._flash.save(content)
        self._machine.end()
        self._pending = b""
        self._machine = Machine.start(self._settings, content)

    def _nudge(self) -> None:
        """Make QEMU look whether the guest now wants input: of itself it does so with its next event only."""
        now = time.monotonic()
        if self._unanswered_since is not None and now - self._nudged_at >= NUDGE_S:
            self._machine.qmp.execute("query-status")
            self._nudged_at = now
            if now - self._unanswered_since > _NUDGED_FOR_S:
                self._unanswered_since = None

    def _keep_flash_when_quiet(self) -> None:
        if self._changed_at is not None and time.monotonic() - self._changed_at >= QUIET_S:
            self._keep_flash()

    def _keep_flash(self) -> None:
        if self._settings.state is not None:
            self._flash.save(self._machine.flash())
        self._changed_at = None


class Output:
    """What a board has sent and nobody has taken; the socket never blocks."""

    def __init__(self, uart: socket.socket) -> None:
        self._uart = uart
        self._received = b""
        self.is_closed = False
        """Whether the other end is gone."""

    def drain(self) -> None:
        """Receive what there is."""
        try:
            data = self._uart.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.is_closed = not data
        self._received += data

    def take(self) -> bytes:
        """Everything that was received, at most once."""
        self.drain()
        data, self._received = self._received, b""
        return data


@dataclass(frozen=True)
class Machine:
    """One QEMU process: from a reset to the next."""

    settings: Settings
    process: subprocess.Popen[bytes]
    uart: socket.socket
    output: Output
    qmp: QmpClient
    folder: tempfile.TemporaryDirectory[str]

    @classmethod
    def start(cls, settings: Settings, flash: bytes) -> Machine:
        """Starts QEMU with this flash.  Raises LinkError when it does not answer."""
        folder = tempfile.TemporaryDirectory(prefix="rune-qemu-")
        (Path(folder.name) / "flash.bin").write_bytes(flash)
        uart, their_uart = socket.socketpair()
        control, their_control = socket.socketpair()
        descriptors = (their_uart.fileno(), their_control.fileno())
        with their_uart, their_control, (Path(folder.name) / _MESSAGES).open("wb") as messages:
            process = subprocess.Popen(
                _command(settings, folder.name, *descriptors),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                pass_fds=descriptors,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        uart.setblocking(False)
        try:
            output = Output(uart)
            return cls(settings, process, uart, output, QmpClient(control, uart, output.drain), folder)
        except LinkError:
            process.kill()
            status = process.wait()
            raise LinkError(f"{PROGRAM} did not start (status {status}){_messages(folder.name)}") from None

    def flash(self) -> bytes:
        """All of the flash, at one instant."""
        region = self.settings.board.flash
        return self.memory(Region(region.start, region.size))

    def memory(self, region: Region) -> bytes:
        """A part of the board's memory, at one instant."""
        path = Path(self.folder.name) / "saved.bin"
        self.qmp.execute("stop")
        # `pmemsave` would read zeros where the flash is a device of its own.
        self.qmp.execute("memsave", val=region.start, size=region.size, filename=str(path))
        # It does not go on where the guest has asked for a reset.
        if self.qmp.execute("query-status")["status"] == "paused":
            self.qmp.execute("cont")
        return path.read_bytes()

    def failure(self) -> LinkError:
        """Why there is nobody at the other end."""
        try:
            status: int | str = self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            status = "it still runs"
        return LinkError(
            f"{PROGRAM} ended the emulation of {self.settings.board.name} (status {status})"
            + _messages(self.folder.name)
        )

    def end(self) -> None:
        """Ends the process, without a word to the guest."""
        self.process.kill()
        self.process.wait()
        self.uart.close()
        self.qmp.close()
        self.folder.cleanup()


def _command(settings: Settings, folder: str, uart: int, control: int) -> list[str]:
    assert settings.board.emulator is not None
    loader = f"loader,file={folder}/flash.bin,addr={settings.board.flash.start:#x},force-raw=on"
    counting = ["-icount", "shift=0"] if settings.count_instructions else []
    return [
        *(PROGRAM, "-machine", settings.board.emulator.machine),
        *("-nodefaults", "-display", "none", "-action", "shutdown=pause,reboot=shutdown"),
        *("-chardev", f"socket,id=uart,fd={uart}", "-serial", "chardev:uart"),
        *("-chardev", f"socket,id=qmp,fd={control}", "-mon", "chardev=qmp,mode=control"),
        *("-device", loader),
        *counting,
    ]


def _messages(folder: str) -> str:
    """What QEMU said on stderr; it warns of every part of a board that is not connected to anything."""
    text = (Path(folder) / _MESSAGES).read_bytes()[-_MESSAGES_BYTES:].decode("utf-8", "replace").strip()
    return f": {text}" if text else ""


def _end_with_parent() -> None:
    """In the child: be killed when the process that started it ends, whatever ends that (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
