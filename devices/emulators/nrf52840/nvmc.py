"""The flash and its controller, with the rules of NOR enforced (product specification, "NVMC")."""

from __future__ import annotations

import ctypes

from devices.emulators.nrf52840.cpu import AccessError
from devices.emulators.nrf52840.peripherals import Peripheral, Wiring

PAGE_BYTES = 4096
FLASH_BYTES = 0x10_0000
_READY, _READYNEXT, _CONFIG = 0x400, 0x408, 0x504
_ERASEPAGE, _ERASEPCR1, _ERASEALL = 0x508, 0x510, 0x50C
_READ_ONLY, _WRITE, _ERASE = range(3)
_WRITE_CYCLES = 41 * 64
"""tWRITE: 41 us, during which the core waits."""
_ERASE_CYCLES = 85_000 * 64
"""tERASEPAGE: 85 ms."""


class Flash:
    """The content, shared with unicorn, and which words were written since they were erased."""

    def __init__(self, content: bytes) -> None:
        self.memory = ctypes.create_string_buffer(content, FLASH_BYTES)
        self.changes = 0
        """Counts writes and erasures."""
        self._written: set[int] = set()
        self._unsettled: dict[int, int] = {}

    def content(self) -> bytes:
        return self.memory.raw

    def word(self, address: int) -> int:
        return ctypes.c_uint32.from_buffer(self.memory, address).value

    def program(self, address: int, word: int) -> bool:
        """Clears bits; returns whether the word had not been written since it was erased."""
        first = address not in self._written and self.word(address) == 0xFFFF_FFFF
        self._unsettled[address] = word & self.word(address)
        self._put(address, self._unsettled[address].to_bytes(4, "little"))
        self._written.add(address)
        self.changes += 1
        return first

    def settle(self) -> None:
        """Due after each block that wrote: unicorn itself stored the words as they were."""
        for address, word in self._unsettled.items():
            self._put(address, word.to_bytes(4, "little"))
        self._unsettled.clear()

    def erase(self, start: int, size: int) -> None:
        self._put(start, b"\xff" * size)
        self.changes += 1
        self._written = {address for address in self._written if not start <= address < start + size}

    def _put(self, address: int, data: bytes) -> None:
        ctypes.memmove(ctypes.addressof(self.memory) + address, data, len(data))


class Nvmc(Peripheral):
    """A violation of the rules is reported; one that the chip would not even carry out faults the access."""

    number = 30

    def __init__(self, wiring: Wiring, flash: Flash) -> None:
        super().__init__(wiring)
        self._flash = flash
        self.registers[_CONFIG] = _READ_ONLY

    def read_register(self, offset: int) -> int:
        return 1 if offset in (_READY, _READYNEXT) else super().read_register(offset)

    def write_register(self, offset: int, value: int) -> None:
        if offset in (_ERASEPAGE, _ERASEPCR1):
            self._erase_page(value)
        elif offset == _ERASEALL and value & 1:
            if self._allowed(_ERASE, "ERASEALL"):
                self._flash.erase(0, FLASH_BYTES)
        else:
            super().write_register(offset, value)

    def write_flash(self, address: int, size: int, value: int) -> None:
        """A store of the core to the flash.  Raises AccessError when it is refused."""
        if not self._allowed(_WRITE, f"a write to {address:#x}"):
            raise AccessError
        if size != 4 or address % 4:
            self._violation(f"a write of {size} bytes to {address:#x}: only aligned words can be written")
            raise AccessError
        before = self._flash.word(address)
        if not self._flash.program(address, value):
            self._violation(f"a second write to {address:#x} without an erasure between")
        elif value & ~before:
            self._violation(f"a write to {address:#x} sets bits: {before:#010x} to {value:#010x}")
        self._spend(_WRITE_CYCLES)

    def _erase_page(self, address: int) -> None:
        if address % PAGE_BYTES or address >= FLASH_BYTES:
            self._violation(f"ERASEPAGE of {address:#x}, where no page begins")
        elif self._allowed(_ERASE, f"ERASEPAGE of {address:#x}"):
            self._flash.erase(address, PAGE_BYTES)
            self._spend(_ERASE_CYCLES)

    def _allowed(self, mode: int, what: str) -> bool:
        allowed = self.registers[_CONFIG] & 3 == mode
        if not allowed:
            self._violation(f"{what} while CONFIG is {self.registers[_CONFIG]}")
        return allowed

    def _spend(self, cycles: int) -> None:
        self.wiring.clock.skip(cycles)
        self.wiring.reschedule()

    def _violation(self, what: str) -> None:
        self.wiring.report(f"flash: {what}")
