"""The UART without DMA (product specification, "UART")."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from devices.emulators.nrf52840.peripherals import Peripheral, Wiring

FIFO_BYTES = 6
_QUEUE_BYTES = 4096
_STARTRX, _STOPRX, _STARTTX, _STOPTX = 0x000, 0x004, 0x008, 0x00C
_RXDRDY, _TXDRDY, _RXTO = 0x108, 0x11C, 0x144
_ENABLE, _RXD, _TXD = 0x500, 0x518, 0x51C
_ENABLED = 4


class Wire(Protocol):
    """The other end of the serial line."""

    def receive(self, most: int) -> bytes: ...

    def send(self, data: bytes) -> None: ...


class Uart(Peripheral):
    """Received bytes wait on the wire until the program takes them: there is no overrun."""

    number = 2

    def __init__(self, wiring: Wiring, wire: Wire) -> None:
        super().__init__(wiring)
        self._wire = wire
        self._queue: deque[int] = deque()
        self._received = 0
        self._unsent = bytearray()
        self._receiving = self._sending = False
        self.vain_polls = 0
        """How often the program has looked for a byte since it last did anything else here."""

    @property
    def takes_input(self) -> bool:
        return self._receiving and len(self._queue) < FIFO_BYTES

    def poll(self) -> None:
        """Look for bytes on the wire."""
        if self.takes_input:
            was_empty = not self._queue
            self._queue.extend(self._wire.receive(_QUEUE_BYTES))
            if was_empty:
                self._offer()

    def flush(self) -> None:
        """Put onto the wire what the program has sent."""
        if self._unsent:
            self._wire.send(bytes(self._unsent))
            self._unsent.clear()

    def read_register(self, offset: int) -> int:
        if offset != _RXD:
            return super().read_register(offset)
        self.vain_polls = 0
        if self._queue:
            self._received = self._queue.popleft()
            if self._queue:
                self._offer()
            else:
                self.poll()
        return self._received

    def read(self, offset: int) -> int:
        value = super().read(offset)
        if offset == _RXDRDY and not value:
            self.vain_polls += 1
        return value

    def write_register(self, offset: int, value: int) -> None:
        if offset != _TXD:
            super().write_register(offset, value)
        elif self._sending and self.registers.get(_ENABLE) == _ENABLED:
            self.vain_polls = 0
            self._unsent.append(value & 0xFF)
            self.signal(_TXDRDY)

    def task(self, offset: int) -> None:
        if offset in (_STARTRX, _STOPRX):
            self._receiving = offset == _STARTRX and self.registers.get(_ENABLE) == _ENABLED
            if offset == _STOPRX:
                self.signal(_RXTO)
        elif offset in (_STARTTX, _STOPTX):
            self._sending = offset == _STARTTX

    def _offer(self) -> None:
        if self._queue:
            self.signal(_RXDRDY)
