"""A serial port as a stream of bytes: the seam between a session and what lies below it."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import termios
import time
from typing import Protocol

from container.errors import PortError

READ_BYTES = 4096
WRITE_TIMEOUT_S = 5.0
"""A line that takes nothing for so long is broken."""
PULSE_S = 0.05
"""Longer than the capacitor between DTR and the reset pin of an Arduino board needs."""


class BrokenStreamError(Exception):
    """The other end is gone, or the line takes nothing any more."""


class ByteStream(Protocol):
    """Bytes to a board and back."""

    def write(self, data: bytes) -> None:
        """Send all of `data`.  Raises BrokenStreamError."""

    def read(self, timeout_s: float) -> bytes:
        """What has come, or nothing after `timeout_s`.  Raises BrokenStreamError."""

    def close(self) -> None:
        """Give it up; harmless when it is closed or broken already."""


class SerialStream:
    """A serial port of this machine, for us alone."""

    def __init__(self, device: str, baud: int) -> None:
        """Open a port.  Raises PortError that names the cure.

        Leaves the modem lines as they are, as far as a system lets us: on boards where a falling DTR means a
        reset only the first opening since they were plugged in causes one.
        """
        from serial import Serial

        try:
            self._port = Serial(
                device,
                baud,
                timeout=0,
                write_timeout=WRITE_TIMEOUT_S,
                exclusive=True,
                inter_byte_timeout=None,
            )
            self._port.reset_input_buffer()
        except (OSError, ValueError, termios.error) as error:
            raise _cannot_open(device, error) from None
        self._poll = select.poll()
        self._poll.register(self._port.fileno(), select.POLLIN)
        with contextlib.suppress(termios.error):
            _keep_lines_at_close(self._port.fileno())

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (OSError, ValueError, termios.error) as error:
            raise BrokenStreamError(str(error)) from None

    def read(self, timeout_s: float) -> bytes:
        try:
            self._poll.poll(max(0.0, timeout_s) * 1000)
            return bytes(self._port.read(READ_BYTES))
        except (OSError, ValueError, termios.error) as error:
            raise BrokenStreamError(str(error)) from None

    def pulse_lines(self) -> None:
        """Let DTR and RTS fall and rise: a reset on boards that have one of them at their reset pin."""
        with contextlib.suppress(OSError, termios.error):  # A pseudo-terminal has no such lines.
            for level in (False, True):
                self._port.dtr = self._port.rts = level
                time.sleep(PULSE_S)

    def close(self) -> None:
        with contextlib.suppress(OSError, termios.error):
            self._port.close()


def _keep_lines_at_close(descriptor: int) -> None:
    """Clear HUPCL (POSIX, termios): the last close then leaves DTR as it is."""
    settings = termios.tcgetattr(descriptor)
    settings[2] &= ~termios.HUPCL
    termios.tcsetattr(descriptor, termios.TCSANOW, settings)


def _cannot_open(device: str, error: Exception) -> PortError:
    code = getattr(error, "errno", None)
    if code in (errno.EACCES, errno.EPERM):
        return PortError(
            f"{device}: you may not open this port",
            hint="join the group that owns it, usually `sudo usermod -aG dialout $USER`, and log in again",
        )
    if code in (errno.EBUSY, errno.EAGAIN):
        return PortError(
            f"{device}: another program uses this port",
            hint="close it: a serial monitor, ModemManager, or another `rune`; `fuser` tells which",
        )
    if code in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return PortError(f"{device}: there is no such port", hint="`rune ports` lists the ports there are")
    words = os.strerror(code) if code else "it is no serial port"
    return PortError(f"{device}: cannot be opened: {words}", hint="`rune ports` lists the ports there are")
