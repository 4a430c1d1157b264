"""Random numbers, temperature and analog inputs (product specification, "RNG", "TEMP", "SAADC")."""

from __future__ import annotations

import random
from collections.abc import Callable

from devices.emulators.nrf52840.clock import FOREVER
from devices.emulators.nrf52840.peripherals import Peripheral, Wiring

_START, _STOP = 0x000, 0x004
_READY = 0x100
_RNG_CYCLES = 30 * 64
"""About 30 us for a byte."""
_TEMP_CYCLES = 36 * 64
"""tTEMP: 36 us."""
DEFAULT_CELSIUS = 25.0


class Delayed(Peripheral):
    """Raises its first event some time after it was started."""

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._due = FOREVER

    def next_event(self) -> int:
        return self._due

    def advance(self) -> None:
        if self.wiring.clock.now >= self._due:
            self._due = FOREVER
            self.complete()

    def read(self, offset: int) -> int:
        self.advance()
        return super().read(offset)

    def begin(self, cycles: int) -> None:
        self._due = self.wiring.clock.now + cycles
        self.wiring.reschedule()

    def complete(self) -> None:
        """The time has passed."""


class Rng(Delayed):
    """Numbers from a seed, so that runs can be repeated."""

    number = 13
    VALUE = 0x508

    def __init__(self, wiring: Wiring, source: random.Random) -> None:
        super().__init__(wiring)
        self._source = source
        self._running = False

    def task(self, offset: int) -> None:
        if offset in (_START, _STOP):
            self._running = offset == _START
            if self._running:
                self.begin(_RNG_CYCLES)

    def event_written(self, offset: int) -> None:
        if self._running and not self.events[_READY]:
            self.begin(_RNG_CYCLES)

    def complete(self) -> None:
        self.registers[self.VALUE] = self._source.randrange(256)
        self.signal(_READY)


class Temp(Delayed):
    number = 12
    TEMP = 0x508

    def __init__(self, wiring: Wiring, celsius: float = DEFAULT_CELSIUS) -> None:
        super().__init__(wiring)
        self._celsius = celsius

    def task(self, offset: int) -> None:
        if offset == _START:
            self.begin(_TEMP_CYCLES)

    def complete(self) -> None:
        # In quarters of a degree, signed.
        self.registers[self.TEMP] = round(self._celsius * 4) & 0xFFFF_FFFF
        self.signal(_READY)


class Saadc(Peripheral):
    """Converts at once; readings come from `reading(analog input)`, 0 to 2 ** resolution - 1."""

    number = 7
    _SAMPLE, _STOP_TASK, _CALIBRATE = 0x004, 0x008, 0x00C
    _STARTED, _END, _DONE, _RESULTDONE, _CALIBRATEDONE, _STOPPED = range(0x100, 0x118, 4)
    _ENABLE, _PSELP, _RESOLUTION, _PTR, _MAXCNT, _AMOUNT = 0x500, 0x510, 0x5F0, 0x62C, 0x630, 0x634
    _CHANNELS = 8

    def __init__(
        self, wiring: Wiring, reading: Callable[[int], int], store: Callable[[int, bytes], None]
    ) -> None:
        super().__init__(wiring)
        self._reading = reading
        self._store = store
        self._count = 0

    def task(self, offset: int) -> None:
        if offset == _START:
            self._count = 0
            self.signal(self._STARTED)
        elif offset == self._SAMPLE and self.registers.get(self._ENABLE):
            self._sample()
        elif offset == self._STOP_TASK:
            self.signal(self._STOPPED)
        elif offset == self._CALIBRATE:
            self.signal(self._CALIBRATEDONE)

    def _sample(self) -> None:
        bits = 8 + 2 * (self.registers.get(self._RESOLUTION, 1) & 3)
        for channel in range(self._CHANNELS):
            source = self.registers.get(self._PSELP + 16 * channel, 0)
            if source and self._count < self.registers.get(self._MAXCNT, 0):
                value = min(self._reading(source - 1), (1 << bits) - 1)
                self._store(self.registers.get(self._PTR, 0) + 2 * self._count, value.to_bytes(2, "little"))
                self._count += 1
        self.registers[self._AMOUNT] = self._count
        self.signal(self._DONE, self._RESULTDONE)
        if self._count >= self.registers.get(self._MAXCNT, 0):
            self.signal(self._END)
