"""A cable with faults between a session and the port of an emulated board: a pseudo-terminal and a thread."""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from devices.link.framing import framings
from devices.link.ports import Port, opener
from devices.link.session import Clock
from devices.link.stream import ByteStream, SerialStream
from tests.devices.link.fake_board import encoded
from tests.devices.link.faults import Faults, Kind

SERIAL_NUMBER = "85430353"
HASTE = 20.0
"""How much faster than ours a session's clock goes, so that its waits are short."""
HURRIED = Clock(lambda: HASTE * time.monotonic(), lambda seconds: time.sleep(seconds / HASTE))
RESET_REQUEST = b"\0" + b"".join(framings()["cobs"].encode(encoded(2, 0, 5, 0, {})))  # type: ignore[arg-type]


class HurriedStream:
    """Reads for a time of the session's clock."""

    def __init__(self, device: str, baud: int) -> None:
        self._stream = SerialStream(device, baud)
        self.write, self.close = self._stream.write, self._stream.close

    def read(self, timeout_s: float) -> bytes:
        return self._stream.read(timeout_s / HASTE)


class Cable:
    """Carries bytes between the board and the host's port, which is another after each disconnection."""

    def __init__(self, board: SerialStream, faults: Faults) -> None:
        self._board, self._faults = board, faults
        self._stopped, self._stop = os.pipe()
        self._late: deque[tuple[float, bytes]] = deque()
        self._gone_until = 0.0
        self._plug_in()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def open(self) -> ByteStream:
        """The host's end, as `rune` finds it."""
        first = Port(self._device, serial_number=SERIAL_NUMBER)
        return opener(first, 115_200, self._ports, HurriedStream)()

    def close(self) -> None:
        os.write(self._stop, b"\0")
        self._thread.join()
        self._unplug()
        os.close(self._stopped)
        os.close(self._stop)

    def _ports(self) -> list[Port]:
        gone = time.monotonic() < self._gone_until
        return [] if gone else [Port(self._device, serial_number=SERIAL_NUMBER)]

    def _plug_in(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self._device = os.ttyname(self._slave)

    def _unplug(self) -> None:
        os.close(self._slave)
        os.close(self._master)

    def _carry(self) -> None:
        while True:
            readable, _, _ = select.select([self._stopped, self._master], [], [], 0.0005)
            if self._stopped in readable:
                return
            if self._master in readable:
                self._to_board(os.read(self._master, 4096))
            self._to_host(self._board.read(0.0))
            while self._late and self._late[0][0] <= time.monotonic():
                os.write(self._master, self._late.popleft()[1])

    def _to_board(self, data: bytes) -> None:
        if self._faults.strikes():
            data = self._befallen(data)
        self._board.write(data)

    def _to_host(self, data: bytes) -> None:
        delay_s = 0.0
        if data and self._faults.strikes():
            if self._faults.kind is Kind.DELAY:
                delay_s = self._faults.random.choice((0.2, 1.5, 5.0)) / HASTE
            else:
                data = self._befallen(data)
        if data:
            self._late.append((time.monotonic() + delay_s, data))

    def _befallen(self, data: bytes) -> bytes:
        choose = self._faults.random.choice
        match self._faults.kind:
            case Kind.STALL:
                time.sleep(choose((1.0, 5.0)) / HASTE)
            case Kind.DISCONNECT | Kind.RENAME:
                self._gone_until = time.monotonic() + choose((0.0, 5.0)) / HASTE
                self._unplug()
                self._plug_in()
                self._late.clear()
            case Kind.RESET:
                return data + RESET_REQUEST
        return self._faults.damage(data)


@contextmanager
def cable(board_port: str, faults: Faults) -> Iterator[Cable]:
    """A cable to the board at a port."""
    board = SerialStream(board_port, 115_200)
    found = Cable(board, faults)
    try:
        yield found
    finally:
        found.close()
        board.close()
