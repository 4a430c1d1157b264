"""The serial port of a board that its opening resets, and whose bootloader runs before its program."""

from __future__ import annotations

import time

from devices.link.stream import SerialStream

START_S = 3.0
"""Optiboot waits one second for a programmer; stk500v2 as long."""


class BootedStream(SerialStream):
    """A serial port through which the program is spoken to, and not the bootloader.

    Bytes that the bootloader takes for commands keep it from starting the program, stk500v2 for ten seconds.
    So nothing is sent before the runtime has sent its first byte.  Where the opening resets nothing, nothing
    comes, and `START_S` is waited in vain.
    """

    def __init__(self, device: str, baud: int) -> None:
        super().__init__(device, baud)
        end = time.monotonic() + START_S
        while not self.read(end - time.monotonic()) and time.monotonic() < end:
            pass
