"""Timers and the counter of cycles (product specification, "TIMER"; DDI 0403, B3.3 and C1.8)."""

from __future__ import annotations

from collections.abc import Callable

from devices.emulators.nrf52840.clock import FOREVER, Clock
from devices.emulators.nrf52840.peripherals import Peripheral, Wiring

_START, _STOP, _COUNT, _CLEAR, _SHUTDOWN, _CAPTURE = 0x000, 0x004, 0x008, 0x00C, 0x010, 0x040
_COMPARE, _SHORTS, _MODE, _BITMODE, _PRESCALER, _CC = 0x140, 0x200, 0x504, 0x508, 0x510, 0x540
_CHANNELS = 6
_BITS = {0: 16, 1: 8, 2: 24, 3: 32}
_CYCLES_PER_TICK = 4
"""Without a prescaler a timer runs at 16 MHz, a quarter of the core's clock."""


class Timer(Peripheral):
    def __init__(self, wiring: Wiring, number: int) -> None:
        super().__init__(wiring)
        self.number = number
        self._ticks = 0
        self._since = 0
        """The cycle at which the counter stood at `_ticks`."""
        self._running = False

    def advance(self) -> None:
        if not self._running:
            return
        elapsed = (self.wiring.clock.now - self._since) // self._cycles
        if elapsed <= 0:
            return
        before, self._ticks = self._ticks, self._ticks + elapsed & self._mask
        self._since += elapsed * self._cycles
        for channel in range(_CHANNELS):
            if self._distance(before, channel) <= elapsed:
                self._compare(channel)

    def next_event(self) -> int:
        if not self._running:
            return FOREVER
        ticks = min(self._distance(self._ticks, channel) for channel in range(_CHANNELS))
        return self._since + ticks * self._cycles

    def task(self, offset: int) -> None:
        self.advance()
        if offset == _START and not self._running:
            self._running, self._since = True, self.wiring.clock.now
        elif offset in (_STOP, _SHUTDOWN):
            self._running = False
        elif offset == _COUNT and self.registers.get(_MODE):
            self._ticks = self._ticks + 1 & self._mask
        elif offset == _CLEAR:
            self._ticks, self._since = 0, self.wiring.clock.now
        elif _CAPTURE <= offset < _CAPTURE + 4 * _CHANNELS:
            self.registers[_CC + offset - _CAPTURE] = self._ticks
        self.wiring.reschedule()

    def write_register(self, offset: int, value: int) -> None:
        self.advance()
        super().write_register(offset, value)
        self.wiring.reschedule()

    @property
    def _cycles(self) -> int:
        return _CYCLES_PER_TICK << min(9, self.registers.get(_PRESCALER, 4))

    @property
    def _mask(self) -> int:
        return int((1 << _BITS[self.registers.get(_BITMODE, 0) & 3]) - 1)

    def _distance(self, ticks: int, channel: int) -> int:
        """Ticks until the counter reaches a channel's value: at least one."""
        return (self.registers.get(_CC + 4 * channel, 0) - ticks - 1 & self._mask) + 1

    def _compare(self, channel: int) -> None:
        self.signal(_COMPARE + 4 * channel)
        shorts = self.registers.get(_SHORTS, 0)
        if shorts >> channel & 1:
            self._ticks = 0
        if shorts >> 8 + channel & 1:
            self._running = False


class SysTick:
    """Counts down from its reload value, one each cycle; offsets are from 0xE000E000."""

    def __init__(self, clock: Clock, pend: Callable[[], None]) -> None:
        self._clock = clock
        self._pend = pend
        self._control = self._reload = 0
        self._wrapped = False
        self._zero_at = 0
        """The cycle of the next change from 1 to 0."""

    def read(self, offset: int) -> int:
        self.advance()
        if offset == 0x010:
            value = self._control | (1 << 16 if self._wrapped else 0)
            self._wrapped = False
            return value
        if offset == 0x014:
            return self._reload
        if offset == 0x018 and self._counting:
            return (self._zero_at - self._clock.now) % (self._reload + 1)
        return 0

    def write(self, offset: int, value: int) -> None:
        self.advance()
        if offset == 0x010:
            if value & 1 and not self._control & 1:
                self._start()
            self._control = value & 7
        elif offset == 0x014:
            self._reload = value & 0xFF_FFFF
        elif offset == 0x018:
            self._wrapped = False
            self._start()

    def next_event(self) -> int:
        return self._zero_at if self._counting else FOREVER

    def advance(self) -> None:
        if not self._counting or self._clock.now < self._zero_at:
            return
        period = self._reload + 1
        self._zero_at += ((self._clock.now - self._zero_at) // period + 1) * period
        self._wrapped = True
        if self._control & 2:
            self._pend()

    @property
    def _counting(self) -> bool:
        return bool(self._control & 1 and self._reload)

    def _start(self) -> None:
        self._zero_at = self._clock.now + self._reload + 1


class CycleCounter:
    """DWT_CYCCNT; offsets are from 0xE0001000."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._enabled = False
        self._value = self._since = 0

    def read(self, offset: int) -> int:
        if offset == 0x000:
            return 0x4000_0000 | self._enabled
        return self._count() if offset == 0x004 else 0

    def write(self, offset: int, value: int) -> None:
        self._value, self._since = self._count(), self._clock.now
        if offset == 0x000:
            self._enabled = bool(value & 1)
        elif offset == 0x004:
            self._value = value

    def _count(self) -> int:
        passed = self._clock.now - self._since if self._enabled else 0
        return self._value + passed & 0xFFFF_FFFF
