"""A line with seeded faults of one kind, in both directions."""

from __future__ import annotations

import random
from dataclasses import replace
from enum import StrEnum

from devices.link.ports import Port, opener
from devices.link.stream import ByteStream
from tests.devices.link.fake_board import FakeBoard, Wire
from tests.devices.link.lines import Line, Plug, Time

RATES = (0.02, 0.1, 0.3, 0.9)
"""Part of the transmissions that a fault befalls; one of these for each seed."""


class Kind(StrEnum):
    """What happens to the bytes of one transmission."""

    DROP = "drop"
    DUPLICATE = "duplicate"
    FLIP = "flip"
    TRUNCATE = "truncate"
    DELAY = "delay"
    STALL = "stall"
    STALE = "stale"
    DISCONNECT = "disconnect"
    RENAME = "rename"
    RESET = "reset"
    """The board restarts, and greets with what is no message."""


class Faults:
    """Decides what becomes of each transmission; the same for the same seed."""

    def __init__(self, kind: Kind, seed: int) -> None:
        self.kind = kind
        self.random = random.Random(f"{kind} {seed}")
        self.rate = self.random.choice(RATES)
        self.armed = False
        self._earlier: list[bytes] = []

    def strikes(self) -> bool:
        """Whether a fault befalls the next transmission."""
        return self.armed and self.random.random() < self.rate

    def damage(self, data: bytes) -> bytes:
        """What arrives of the bytes of a transmission; the kinds that are not about bytes leave them."""
        at = self.random.randrange(len(data))
        end = min(len(data), at + self.random.choice((1, 3, 200)))
        self._earlier.append(data)
        match self.kind:
            case Kind.DROP:
                return data[:at] + data[end:]
            case Kind.DUPLICATE:
                return self.random.choice((data + data, data[:at] + data[at:end] * 2 + data[end:]))
            case Kind.FLIP:
                return data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1 :]
            case Kind.TRUNCATE:
                return data[:at]
            case Kind.STALE:
                return self.random.choice((self._earlier[0], self.random.randbytes(30))) + data
            case _:
                return data


class FaultyLine(Line):
    """A line in memory with faults."""

    def __init__(self, wire: Wire, time: Time, plug: FaultyPlug) -> None:
        super().__init__(wire, time)
        self.plug, self.faults = plug, plug.faults

    def write(self, data: bytes) -> None:
        if data and self.faults.strikes():
            data = self._befallen(data)
        super().write(data)

    def arrive(self, data: bytes, delay_s: float = 0.0) -> None:
        if not data or not self.faults.strikes():
            super().arrive(data, delay_s)
        elif self.faults.kind is Kind.DELAY:
            super().arrive(data, self.faults.random.choice((0.2, 1.5, 5.0)))
        elif self.faults.kind is Kind.STALL:
            self.time.sleep(self.faults.random.choice((1.0, 30.0)))
        else:
            super().arrive(self._befallen(data))

    def _befallen(self, data: bytes) -> bytes:
        choose = self.faults.random.choice
        if self.faults.kind in (Kind.DISCONNECT, Kind.RENAME):
            self.plug.name += self.faults.kind is Kind.RENAME
            self.plug.pull(choose((0.0, 2.0, 9.0)) if self.faults.rate < 0.5 else choose((2.0, 1e6)))
        elif self.faults.kind is Kind.RESET:
            self.wire.board.power_cycle()
            return data[: len(data) // 2] + b"\r\nbooting\r\n"
        return self.faults.damage(data)


class FaultyPlug(Plug):
    """Opens lines with faults."""

    def __init__(self, board: FakeBoard, time: Time, faults: Faults) -> None:
        super().__init__(Wire(board), time)
        self.faults = faults
        self.name = 0
        port = Port("/dev/ttyACM0", serial_number="85430353")
        self._opener = opener(port, 115_200, lambda: [replace(port, device=self.device)], self._open)

    @property
    def device(self) -> str:
        """What the port is called now."""
        return f"/dev/ttyACM{self.name}"

    def open_renamed(self) -> ByteStream:
        """As a session does that knows the port's serial number."""
        return self._opener()

    def _open(self, device: str, baud: int) -> ByteStream:
        assert device == self.device
        return self()

    def make(self) -> Line:
        return FaultyLine(self.wire, self.time, self)
