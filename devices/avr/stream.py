"""Serial ports of boards that their opening resets, and whose bootloader runs before their program."""

from __future__ import annotations

import time

from devices.link.framing import RESYNCHRONIZE, framings
from devices.link.messages import FactsRead
from devices.link.stream import BrokenStreamError, SerialStream

START_S = 3.0
"""Optiboot waits one second for a programmer; stk500v2 as long."""
ANSWER_S = 0.25
"""An agent answers within milliseconds, a board in QEMU within 60 of them."""


class BootedStream(SerialStream):
    """A serial port through which the program is spoken to, and not the bootloader.

    Bytes that the bootloader takes for commands keep it from starting the program, stk500v2 for ten seconds.
    So nothing is sent before the runtime has sent its first byte.  Where the opening resets nothing, nothing
    comes, and `START_S` is waited in vain.
    """

    def __init__(self, device: str, baud: int, *, pulse: bool = False) -> None:
        """With `pulse` the board is reset also where it was not by the opening.

        Raises PortError, BrokenStreamError.
        """
        super().__init__(device, baud)
        try:
            if pulse:
                self.pulse_lines()
            self._wait_for_start()
        except BrokenStreamError:
            self.close()
            raise

    def _wait_for_start(self) -> None:
        end = time.monotonic() + START_S
        while not self.read(end - time.monotonic()) and time.monotonic() < end:
            pass


def open_unknown(device: str, baud: int) -> SerialStream:
    """The port of a board that nobody has named, which may have an agent or a bootloader.

    An agent is asked at once, and answers.  Where nothing does, the question may have gone to a bootloader,
    which now waits for more: so the board is reset, and its program waited for.  Raises PortError,
    BrokenStreamError.
    """
    stream = SerialStream(device, baud)
    try:
        if _answers(stream):
            return stream
    except BrokenStreamError:
        stream.close()
        raise
    stream.close()
    return BootedStream(device, baud, pulse=True)


def _answers(stream: SerialStream) -> bool:
    """Whether any frame comes once facts were asked for."""
    framing = framings()["cobs"]
    stream.write(RESYNCHRONIZE + b"".join(framing.encode(FactsRead().BYTES)))
    end = time.monotonic() + ANSWER_S
    while (left := end - time.monotonic()) > 0:
        framing.feed(stream.read(left))
        if framing.take() is not None:
            return True
    return False
