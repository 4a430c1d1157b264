"""How SMP messages lie on a serial line; docs/device-protocol.md describes both ways.

COBS is the framing that `smpclient` has.  The console's lines are encoded and decoded by `smp`; here they get
the same interface, so that a session does not care.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Generator, Iterator

from smp import packet
from smp.exceptions import SMPException
from smpclient.transport.serial.framing import SerialFraming
from smpclient.transport.serial.framing.cobs import Cobs

RESYNCHRONIZE = b"\n\0"
"""Ends whatever the other side took for the beginning of a frame, in either framing."""
MAXIMUM_BUFFER_BYTES = 1 << 16
"""What has no end after so many bytes is noise."""

for _library in ("smp", "smpclient"):
    # What they log of damaged frames is no news for users: a session says it when it matters.
    logging.getLogger(_library).addHandler(logging.NullHandler())


class Console:
    """MCUmgr's console framing: lines of base64."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines = _decoder()
        self._begun = False

    def encode(self, data: bytes) -> Iterator[bytes]:
        """The lines that carry the SMP message `data`."""
        return packet.encode(data)

    def feed(self, data: bytes) -> None:
        """Received bytes."""
        self._buffer += data
        if len(self._buffer) > MAXIMUM_BUFFER_BYTES:
            del self._buffer[:-MAXIMUM_BUFFER_BYTES]

    def take(self) -> bytes | None:
        """The next message, or None where there is no whole one; damaged ones are passed over."""
        while (end := self._buffer.find(packet.END_DELIMITER)) != -1:
            line = bytes(self._buffer[: end + 1])
            del self._buffer[: end + 1]
            message = self._line(line)
            if message:
                return message
        return None

    def reset(self) -> None:
        """Forget what was received."""
        self._buffer.clear()
        self._begun = False

    def _line(self, line: bytes) -> bytes | None:
        """What the line completes; other output of a board may stand before its delimiter."""
        start = line.rfind(packet.START_DELIMITER)
        if start >= 0:
            self._lines, self._begun = _decoder(), True
        elif self._begun:
            start = max(line.rfind(packet.CONTINUE_DELIMITER), 0)
        else:
            return None
        try:
            self._lines.send(line[start:])
        except StopIteration as whole:
            self._begun = False
            return bytes(whole.value)
        except (SMPException, ValueError, struct.error):
            self._begun = False
        return None


def _decoder() -> Generator[None, bytes, bytes]:
    lines = packet.decode()
    next(lines)
    return lines


def framings() -> dict[str, SerialFraming]:
    """Both by name, the better first; each holds the received bytes of one connection."""
    return {"cobs": Cobs(), "console": Console()}
