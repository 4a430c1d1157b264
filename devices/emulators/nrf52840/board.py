"""The board: a chip on a serial port, whose flash outlives resets and the process."""

from __future__ import annotations

import select
import sys
import time

from devices.emulators.base import Settings
from devices.emulators.flash_file import FlashFile
from devices.emulators.nrf52840.chip import Chip, Surroundings
from devices.emulators.nrf52840.clock import CLOCK_HZ, FOREVER, Clock
from devices.emulators.nrf52840.nvmc import Flash
from devices.emulators.nrf52840.power import ResetReason
from devices.emulators.pty import Pty
from devices.emulators.stop import StopRequest

KEEP_S = 0.2
"""Changed flash is kept so long after the last change, at the latest after five times that."""
_SHORTEST_SLEEP_S = 50e-6
"""Waiting for less would take longer."""
_POLLS = 500
_POLL_S = 0.002
"""A program that has looked for input in vain that often is made to wait a little."""
_LOCKUP_S = 0.1
"""Without a program the core locks up, is reset and locks up again: not at full speed."""
_REPORTS = 1000


class VirtualBoard:
    """Runs as fast as it can while the program works, and waits in real time while it sleeps."""

    def __init__(self, settings: Settings, pty: Pty) -> None:
        self._pty = pty
        self._file = FlashFile(settings.state, settings.board)
        self._flash = Flash(self._file.load(settings.firmware))
        self._kept_changes = -1
        self._seen_changes = 0
        self._changed_at = self._kept_at = 0.0
        self._reports = 0
        self._clock = Clock()
        self._surroundings = Surroundings(pty, self._report, self._show_pin)
        self._chip = self._start(ResetReason.POWER_ON)

    def run(self, stop: StopRequest) -> None:
        try:
            while not stop.requested:
                if self._chip.run():
                    self._sleep(stop)
                elif self._chip.uart.vain_polls > _POLLS:
                    self._chip.uart.vain_polls = 0
                    self._wait(stop, _POLL_S)
                if self._chip.reset_reason is not None:
                    self._reset(stop, self._chip.reset_reason)
                self._pty.flush()
                self._keep_flash()
        finally:
            self._file.save(self._flash.content())

    def _reset(self, stop: StopRequest, reason: ResetReason) -> None:
        if reason is ResetReason.LOCKUP:
            self._wait(stop, _LOCKUP_S)
        self._chip = self._start(reason)

    def _start(self, reason: ResetReason) -> Chip:
        return Chip(self._clock, self._flash, self._surroundings, reason)

    def _sleep(self, stop: StopRequest) -> None:
        """Until an exception wakes the program or somebody asks for the end."""
        while not stop.requested and not self._chip.wakes():
            due = self._chip.next_event()
            seconds = (due - self._clock.now) / CLOCK_HZ
            if seconds < _SHORTEST_SLEEP_S:
                self._clock.skip(max(0, due - self._clock.now))
                continue
            self._wait(stop, None if due >= FOREVER else seconds)
            self._pty.flush()
            self._keep_flash()

    def _wait(self, stop: StopRequest, seconds: float | None) -> None:
        """Waits for input, at most so long; the board's time passes with the real one."""
        kept = KEEP_S if self._flash.changes != self._kept_changes else None
        limits = [limit for limit in (seconds, kept, self._pty.wait_s() or None) if limit is not None]
        sources = [stop.fileno(), *([self._pty.fileno()] if self._listens() else [])]
        sinks = [self._pty.fileno()] if self._pty.backlog and not self._pty.wait_s() else []
        began = time.monotonic()
        ready = select.select(sources, sinks, [], min(limits) if limits else None)
        passed = time.monotonic() - began
        if seconds is not None:
            # Without input in between, time goes on to the very cycle of the event.
            in_time = not any(ready) and min(limits) == seconds
            self._clock.skip(round((seconds if in_time else min(passed, seconds)) * CLOCK_HZ))

    def _listens(self) -> bool:
        return self._chip.uart.takes_input and not self._pty.wait_s()

    def _keep_flash(self) -> None:
        changes = self._flash.changes
        if changes == self._kept_changes:
            return
        now = time.monotonic()
        if changes != self._seen_changes:
            self._seen_changes, self._changed_at = changes, now
        if now - self._changed_at >= KEEP_S or now - self._kept_at >= 5 * KEEP_S:
            self._file.save(self._flash.content())
            self._kept_changes, self._kept_at = changes, now

    def _show_pin(self, pin: int, high: bool) -> None:
        self._report(f"pin {pin} is {'high' if high else 'low'}")

    def _report(self, words: str) -> None:
        """Told on stderr, boundedly: a program may do the same thing wrong for ever."""
        self._reports += 1
        if self._reports <= _REPORTS:
            sys.stderr.write(
                f"{words}\n" if self._reports < _REPORTS else "... further reports are left out\n"
            )
            sys.stderr.flush()
