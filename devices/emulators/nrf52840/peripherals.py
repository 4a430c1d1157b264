"""What Nordic's peripherals have in common (product specification, "Peripheral interface")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from devices.emulators.nrf52840.clock import FOREVER, Clock

PERIPHERALS_START = 0x4000_0000
PERIPHERAL_BYTES = 0x1000
_INTEN, _INTENSET, _INTENCLR = 0x300, 0x304, 0x308


@dataclass(frozen=True)
class Wiring:
    """What a peripheral is connected to."""

    clock: Clock
    set_line: Callable[[int, bool], None]
    """Raises or lowers an interrupt line."""
    reschedule: Callable[[], None]
    """Told when `next_event` may be earlier than it was."""
    report: Callable[[str], None]
    """Told of whatever a real chip would punish in silence."""


class Peripheral:
    """One peripheral: its number says its address and its interrupt."""

    number = 0

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.registers: dict[int, int] = {}
        """Those without an effect of their own."""
        self.events: dict[int, int] = {}
        self._enabled = 0

    def read(self, offset: int) -> int:
        if 0x100 <= offset < 0x200:
            return self.events.get(offset, 0)
        if offset in (_INTEN, _INTENSET, _INTENCLR):
            return self._enabled
        return self.read_register(offset)

    def write(self, offset: int, value: int) -> None:
        if offset < 0x100:
            if value & 1:
                self.task(offset)
        elif offset < 0x200:
            self.events[offset] = value & 1
            self.event_written(offset)
        elif offset == _INTEN:
            self._enabled = value
        elif offset == _INTENSET:
            self._enabled |= value
        elif offset == _INTENCLR:
            self._enabled &= ~value
        else:
            self.write_register(offset, value)
        self._update_line()

    def signal(self, *offsets: int) -> None:
        """Raise events."""
        for offset in offsets:
            self.events[offset] = 1
        self._update_line()

    def next_event(self) -> int:
        """The cycle at which something will happen of itself."""
        return FOREVER

    def advance(self) -> None:
        """Let happen what is due by now."""

    def task(self, offset: int) -> None:
        """A task is triggered."""

    def event_written(self, offset: int) -> None:
        """An event was set or, mostly, cleared by the program."""

    def read_register(self, offset: int) -> int:
        return self.registers.get(offset, 0)

    def write_register(self, offset: int, value: int) -> None:
        self.registers[offset] = value

    def _update_line(self) -> None:
        high = any(
            value and self._enabled >> (offset - 0x100) // 4 & 1 for offset, value in self.events.items()
        )
        self.wiring.set_line(self.number, high)
