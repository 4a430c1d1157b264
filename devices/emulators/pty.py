"""The serial port of an emulated board: a pseudo-terminal that behaves as a cable does."""

from __future__ import annotations

import os
import time
import tty
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

BACKLOG_BYTES = 65_536
"""What is kept for a client that does not read; more is lost, as on a UART without flow control."""
_BITS_PER_BYTE = 10
_BURST_S = 0.005
"""Bytes that time allowed but nobody moved are not saved up for longer than this."""


class Rate:
    """How many bytes a line of some baud rate can carry (8N1), by the clock of this machine."""

    def __init__(self, baud: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._bytes_per_s = baud / _BITS_PER_BYTE
        self._most = max(1.0, self._bytes_per_s * _BURST_S)
        self._clock = clock
        self._credit = 1.0
        self._counted_until = clock()

    def allowed(self) -> int:
        """Bytes that may pass by now."""
        now = self._clock()
        earned = (now - self._counted_until) * self._bytes_per_s
        self._credit = min(self._most, self._credit + earned)
        self._counted_until = now
        return int(self._credit)

    def spend(self, count: int) -> None:
        """Tell that so many have passed."""
        self._credit -= count

    def wait_s(self) -> float:
        """Time until one more byte may pass, counted from the last call of `allowed`."""
        return max(0.0, 1.0 - self._credit) / self._bytes_per_s


class Pty:
    """The board's end of a pseudo-terminal; `path` is the client's, which may come and go.

    Nothing here waits.  With `baud` both directions are held to what a real line of that rate carries.
    Raises OSError only when the system has no pseudo-terminals left.
    """

    def __init__(self, *, baud: int | None = None) -> None:
        self._master, self._slave = os.openpty()
        # Our own descriptor of the client's end stays open: else its closing would be a hang-up for us, and
        # the settings made here would be lost.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = Path(os.ttyname(self._slave))
        self._backlog = bytearray()
        self._rates = (Rate(baud), Rate(baud)) if baud else None

    def fileno(self) -> int:
        """Readable once the client has sent something."""
        return self._master

    @property
    def backlog(self) -> int:
        """Bytes that the client has not been given yet."""
        return len(self._backlog)

    def wait_s(self) -> float | None:
        """With a baud rate: time until `receive` or `flush` may move a byte.  Else None.

        Counted from the last `flush`: until the next one it stays the same, so that what is waited for and
        how long fit together.
        """
        return max(rate.wait_s() for rate in self._rates) if self._rates else None

    def receive(self, most: int) -> bytes:
        """Up to `most` bytes from the client; empty when there are none yet."""
        if self._rates:
            most = min(most, self._rates[0].allowed())
        if most <= 0:
            return b""
        try:
            data = os.read(self._master, most)
        except BlockingIOError:
            return b""
        if self._rates:
            self._rates[0].spend(len(data))
        return data

    def send(self, data: bytes) -> None:
        """Give bytes to the client; those that exceed the backlog are lost."""
        self._backlog += data[: BACKLOG_BYTES - len(self._backlog)]
        self.flush()

    def flush(self) -> None:
        """Hand over of the backlog what the client, and the baud rate, take now."""
        most = len(self._backlog)
        if self._rates:
            self._rates[0].allowed()
            most = min(most, self._rates[1].allowed())
        if most <= 0:
            return
        try:
            written = os.write(self._master, self._backlog[:most])
        except BlockingIOError:
            return
        del self._backlog[:written]
        if self._rates:
            self._rates[1].spend(written)

    def close(self) -> None:
        os.close(self._master)
        os.close(self._slave)

    def __enter__(self) -> Pty:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
