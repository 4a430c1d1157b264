"""The pins (product specification, "GPIO")."""

from __future__ import annotations

from collections.abc import Callable

GPIO_START = 0x5000_0000
_OUT, _OUTSET, _OUTCLR, _IN, _DIR, _DIRSET, _DIRCLR = range(0x504, 0x520, 4)
_PINS = 32
_SECOND_PORT = 0x800
_PORT_STRIDE = 0x300


class Gpio:
    """All ports; outputs are shown to `observer(pin, high)` whenever their level changes."""

    def __init__(self, observer: Callable[[int, bool], None]) -> None:
        self._ports = (Port(observer, 0), Port(observer, _PINS))

    def read(self, offset: int) -> int:
        second = offset >= _SECOND_PORT
        return self._ports[second].read(offset - second * _PORT_STRIDE)

    def write(self, offset: int, value: int) -> None:
        second = offset >= _SECOND_PORT
        self._ports[second].write(offset - second * _PORT_STRIDE, value)


class Port:
    """32 pins."""

    def __init__(self, observer: Callable[[int, bool], None], first: int) -> None:
        self._first = first
        self._observer = observer
        self._out = self._direction = self._shown = 0
        self._configuration = [2] * _PINS

    def read(self, offset: int) -> int:
        if offset in (_OUT, _OUTSET, _OUTCLR):
            return self._out
        if offset in (_DIR, _DIRSET, _DIRCLR):
            return self._direction
        if offset == _IN:
            return self._out & self._direction
        if 0x700 <= offset < 0x780:
            return self._configuration[(offset - 0x700) // 4]
        return 0

    def write(self, offset: int, value: int) -> None:
        if offset in (_OUT, _OUTSET, _OUTCLR):
            self._out = _changed(self._out, (offset - _OUT) // 4, value)
        elif offset in (_DIR, _DIRSET, _DIRCLR):
            self._direction = _changed(self._direction, (offset - _DIR) // 4, value)
        elif 0x700 <= offset < 0x780:
            self._configure((offset - 0x700) // 4, value)
        self._show()

    def _configure(self, pin: int, value: int) -> None:
        self._configuration[pin] = value
        self._direction = _changed(self._direction, 1 if value & 1 else 2, 1 << pin)

    def _show(self) -> None:
        levels = self._out & self._direction
        for pin in range(_PINS):
            if (levels ^ self._shown) >> pin & 1:
                self._observer(self._first + pin, bool(levels >> pin & 1))
        self._shown = levels


def _changed(bits: int, how: int, value: int) -> int:
    """Bits after a write (0), a set (1) or a clear (2)."""
    return (value, bits | value, bits & ~value)[how]
