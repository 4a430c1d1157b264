"""The process of one emulated board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from devices.emulators import base
from devices.emulators.pty import Pty
from devices.emulators.stop import StopRequest


def run(
    settings: base.Settings,
    *,
    baud_limit: bool,
    started: Callable[[Path], None],
    watch_stdin: bool = False,
) -> None:
    """Runs an emulator in this process until it is asked to stop (see `StopRequest`).

    `started` is told the port once bytes sent there reach the board.  Raises what `base.Emulator.run` does.
    """
    with (
        StopRequest(watch_stdin=watch_stdin) as stop,
        Pty(baud=settings.board.uart.baud if baud_limit else None) as pty,
    ):
        emulator = base.create(settings, pty)
        started(pty.path)
        emulator.run(stop)
