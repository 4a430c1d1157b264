"""Clocks and the reason of the last reset (product specification, "POWER", "CLOCK")."""

from __future__ import annotations

from enum import IntFlag

from devices.emulators.nrf52840.peripherals import Peripheral, Wiring

_HFCLKSTART, _HFCLKSTOP, _LFCLKSTART, _LFCLKSTOP = 0x000, 0x004, 0x008, 0x00C
_HFCLKSTARTED, _LFCLKSTARTED = 0x100, 0x104
_RESETREAS, _HFCLKSTAT, _LFCLKSTAT = 0x400, 0x40C, 0x418
_RUNNING = 1 << 16


class ResetReason(IntFlag):
    """Bits of RESETREAS; none of them after power-on."""

    POWER_ON = 0
    SOFTWARE = 4
    LOCKUP = 8


class Power(Peripheral):
    """Clocks start at once."""

    number = 0

    def __init__(self, wiring: Wiring, reason: ResetReason) -> None:
        super().__init__(wiring)
        self.registers[_RESETREAS] = reason

    def task(self, offset: int) -> None:
        if offset == _HFCLKSTART:
            self.registers[_HFCLKSTAT] = _RUNNING | 1
            self.signal(_HFCLKSTARTED)
        elif offset == _LFCLKSTART:
            self.registers[_LFCLKSTAT] = _RUNNING
            self.signal(_LFCLKSTARTED)
        elif offset in (_HFCLKSTOP, _LFCLKSTOP):
            self.registers[_HFCLKSTAT if offset == _HFCLKSTOP else _LFCLKSTAT] = 0

    def write_register(self, offset: int, value: int) -> None:
        if offset == _RESETREAS:
            value = self.registers[_RESETREAS] & ~value
        super().write_register(offset, value)
