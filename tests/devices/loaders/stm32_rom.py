"""The UART loader in the ROM of an STM32F405, as its program sees it: on a pty, with the chip's flash.

Written from AN3155, "USART protocol used in the STM32 bootloader", chapters 2 and 3; the product's number and
the sectors of its flash from AN2606 and RM0090, table 5.
"""

from __future__ import annotations

import os
import select
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from operator import xor

ACK, NACK = 0x79, 0x1F
SYNC = 0x7F
GET, GET_VERSION, GET_ID, READ, GO, WRITE, EXTENDED_ERASE = 0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44
COMMANDS = (GET, GET_VERSION, GET_ID, READ, GO, WRITE, EXTENDED_ERASE)
LOADER_VERSION = 0x31
PRODUCT = 0x413
FLASH_START = 0x0800_0000
SECTORS = (16 << 10,) * 4 + (64 << 10,) + (128 << 10,) * 7


class _Gone(Exception):
    """The other end is to be left alone."""


@dataclass
class Faults:
    """What goes wrong."""

    refused: int | None = None
    """This command is answered by NACK."""
    silent: int | None = None
    """From this command on nothing is answered."""
    deaf: bool = False
    """Not even the first byte is answered: BOOT0 was low."""
    stuck: int | None = None
    """A bit of the flash at this offset is never cleared."""


@dataclass
class Rom:
    """The loader and the flash it writes."""

    faults: Faults = field(default_factory=Faults)
    flash: bytearray = field(default_factory=lambda: bytearray(b"\xff" * sum(SECTORS)))
    erased: list[int] = field(default_factory=list)
    """Numbers of the sectors, in the order in which they were erased."""
    started: int | None = None
    """The address that GO named."""
    _master: int = field(init=False)
    _stop: int = field(init=False)
    """Becomes readable when the port is closed."""

    @contextmanager
    def on_a_pty(self) -> Iterator[str]:
        """The path of the port; the loader listens as long as the context lasts."""
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self._stop, wake = os.pipe()
        thread = threading.Thread(target=self._listen, daemon=True)
        thread.start()
        try:
            yield os.ttyname(slave)
        finally:
            os.write(wake, b"x")
            thread.join(timeout=10)
            for descriptor in (self._master, slave, self._stop, wake):
                os.close(descriptor)
        assert not thread.is_alive()

    def _listen(self) -> None:
        try:
            while self._take(1)[0] != SYNC or self.faults.deaf:
                pass
            self._answer(bytes([ACK]))
            while True:
                self._command(self._take(1)[0])
        except _Gone:
            pass

    def _command(self, command: int) -> None:
        if self._take(1)[0] != command ^ 0xFF or command not in COMMANDS or command == self.faults.refused:
            self._answer(bytes([NACK]))
            return
        if command == self.faults.silent:
            self.faults.deaf = True
            self._listen()
        self._answer(bytes([ACK]))
        {
            GET: self._get,
            GET_VERSION: self._get_version,
            GET_ID: self._get_id,
            READ: self._read,
            GO: self._go,
            WRITE: self._write,
            EXTENDED_ERASE: self._extended_erase,
        }[command]()

    def _get(self) -> None:
        self._answer(bytes([len(COMMANDS), LOADER_VERSION, *COMMANDS, ACK]))

    def _get_version(self) -> None:
        self._answer(bytes([LOADER_VERSION, 0, 0, ACK]))

    def _get_id(self) -> None:
        self._answer(bytes([1, *PRODUCT.to_bytes(2, "big"), ACK]))

    def _read(self) -> None:
        offset = self._address()
        if offset is None:
            return
        count, check = self._take(2)
        if count ^ 0xFF != check:
            self._answer(bytes([NACK]))
            return
        self._answer(bytes([ACK, *self.flash[offset : offset + count + 1]]))

    def _go(self) -> None:
        offset = self._address()
        if offset is not None:
            self.started = FLASH_START + offset

    def _write(self) -> None:
        offset = self._address()
        if offset is None:
            return
        count = self._take(1)
        data = self._take(count[0] + 1)
        wrong = self._take(1)[0] != reduce(xor, count + data)
        if wrong or len(data) % 4 or offset % 4 or offset + len(data) > len(self.flash):
            self._answer(bytes([NACK]))
            return
        for place, byte in enumerate(data, offset):
            self.flash[place] &= byte | (0x01 if place == self.faults.stuck else 0)
        self._answer(bytes([ACK]))

    def _extended_erase(self) -> None:
        head = self._take(2)
        count = int.from_bytes(head, "big") + 1
        if count > len(SECTORS):
            sectors, body = list(range(len(SECTORS))), b""
        else:
            body = self._take(2 * count)
            sectors = [int.from_bytes(body[place : place + 2], "big") for place in range(0, len(body), 2)]
        if self._take(1)[0] != reduce(xor, head + body) or max(sectors) >= len(SECTORS):
            self._answer(bytes([NACK]))
            return
        for sector in sectors:
            start = sum(SECTORS[:sector])
            self.flash[start : start + SECTORS[sector]] = b"\xff" * SECTORS[sector]
        self.erased += sectors
        self._answer(bytes([ACK]))

    def _address(self) -> int | None:
        """An offset in the flash; None, and NACK, for what is none."""
        data = self._take(5)
        offset = int.from_bytes(data[:4], "big") - FLASH_START
        if reduce(xor, data) or not 0 <= offset < len(self.flash):
            self._answer(bytes([NACK]))
            return None
        self._answer(bytes([ACK]))
        return offset

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            ready, _, _ = select.select([self._master, self._stop], [], [])
            if self._stop in ready:
                raise _Gone
            data += os.read(self._master, count - len(data))
        return data

    def _answer(self, data: bytes) -> None:
        os.write(self._master, data)
