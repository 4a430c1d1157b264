"""Lines between a session and a board that live in memory and in a time of their own."""

from __future__ import annotations

from collections import deque

from container.errors import PortError
from devices.link.session import Clock
from devices.link.stream import BrokenStreamError
from tests.devices.link.fake_board import Wire

BYTE_S = 10 / 115_200


class Time:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, self.sleep)


class Line:
    """A `ByteStream` to a board that answers at once, at 115,200 baud."""

    def __init__(self, wire: Wire, time: Time) -> None:
        self.wire, self.time = wire, time
        self.coming: deque[tuple[float, bytes]] = deque()
        """When what arrives at the host."""
        self.gone = False

    def write(self, data: bytes) -> None:
        if self.gone:
            raise BrokenStreamError("unplugged")
        self.time.sleep(len(data) * BYTE_S)
        self.arrive(self.wire.receive(data))

    def arrive(self, data: bytes, delay_s: float = 0.0) -> None:
        if data:
            self.coming.append((self.time.now_s + delay_s + len(data) * BYTE_S, data))

    def read(self, timeout_s: float) -> bytes:
        if self.gone:
            raise BrokenStreamError("unplugged")
        end = self.time.now_s + timeout_s
        if not self.coming or self.coming[0][0] > end:
            self.time.now_s = end
            return b""
        at, data = self.coming.popleft()
        self.time.now_s = max(self.time.now_s, at)
        return data

    def close(self) -> None:
        self.coming.clear()


class Plug:
    """Opens lines to one board; it can be pulled out."""

    def __init__(self, wire: Wire, time: Time) -> None:
        self.wire, self.time = wire, time
        self.back_at = 0.0
        self.line: Line | None = None
        self.opened = 0

    def __call__(self) -> Line:
        if self.time.now_s < self.back_at:
            raise PortError("no such port")
        self.opened += 1
        self.line = self.make()
        return self.line

    def make(self) -> Line:
        return Line(self.wire, self.time)

    def pull(self, seconds: float) -> None:
        """Unplugged for so long."""
        if self.line is not None:
            self.line.gone = True
        self.back_at = self.time.now_s + seconds
