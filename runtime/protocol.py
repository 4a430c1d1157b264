"""What the host process and the worker process say to each other, over a pair of pipes.

    u32      length of the header, little-endian
    header   JSON object; `sizes` are the lengths of the parts that follow it
    parts    bytes

Each request of the host has one reply.

    first   {interface} + the module          ->  {progress}: address of the progress cell in the process
    then    {ports} + the sample of each      ->  {code, ports, elapsed_ns, fuel} + the value of each
    or      {reset}: make a new instance      ->  {progress}
    or, where that fails                      ->  {error, message, hint, operator}
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_LENGTH = struct.Struct("<I")
_CHUNK_BYTES = 1 << 20


class Message(NamedTuple):
    header: dict[str, Any]
    parts: list[bytes]


class ClosedError(Exception):
    """The other end is gone."""


class DeadlineError(Exception):
    """No reply came in time."""


def send(descriptor: int, header: Mapping[str, Any], parts: Sequence[bytes] = ()) -> None:
    """Write one message.  Raises ClosedError."""
    encoded = json.dumps({**header, "sizes": [len(part) for part in parts]}).encode()
    data = memoryview(b"".join([_LENGTH.pack(len(encoded)), encoded, *parts]))
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        raise ClosedError from None


def receive(descriptor: int, deadline: float | None = None) -> Message:
    """Read one message; `deadline` is a time of `time.monotonic`.  Raises ClosedError, DeadlineError."""
    (length,) = _LENGTH.unpack(_exactly(descriptor, _LENGTH.size, deadline))
    header = json.loads(_exactly(descriptor, length, deadline))
    return Message(header, [_exactly(descriptor, size, deadline) for size in header["sizes"]])


def _exactly(descriptor: int, size: int, deadline: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        if deadline is not None:
            _wait(descriptor, deadline)
        chunk = os.read(descriptor, min(size - len(data), _CHUNK_BYTES))
        if not chunk:
            raise ClosedError
        data += chunk
    return bytes(data)


def _wait(descriptor: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise DeadlineError
