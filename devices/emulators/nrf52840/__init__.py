"""A virtual nRF52840 on unicorn's Cortex-M4: installed by pip alone.

Sources: Nordic, "nRF52840 Product Specification" v1.8, the chapter of each peripheral; for the core, Arm,
"ARMv7-M Architecture Reference Manual" (DDI 0403), parts B1 and B3.

What differs from the chip: one instruction takes one cycle; unaligned LDRD and division by zero never fault,
and the FPU works whatever CPACR says; the MPU restricts unprivileged code alone, from the next exception or
millisecond after it was set; a soft reset loses RAM.
"""

from __future__ import annotations

from devices.emulators.base import Emulator, Settings
from devices.emulators.pty import Pty


def create(settings: Settings, pty: Pty) -> Emulator:
    """The board, connected to a port.  Raises RuneError when its state cannot be read."""
    from devices.emulators.nrf52840.board import VirtualBoard

    return VirtualBoard(settings, pty)
