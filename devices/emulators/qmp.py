"""The QEMU Machine Protocol: lines of JSON on a socket (QEMU's docs/interop/qmp-spec)."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from container.errors import LinkError

ANSWER_S = 20.0
_LINE_BYTES = 1 << 20


class QmpClient:
    """Speaks QMP on a connected socket.  All that fails is a LinkError.

    QEMU answers nothing while a write of the guest's waits for room in `serial`, and there is room for a few
    hundred bytes only, since the guest writes them one by one: so `drain` is called whenever `serial` has
    some, also while an answer is waited for.
    """

    def __init__(self, connection: socket.socket, serial: socket.socket, drain: Callable[[], None]) -> None:
        self._connection = connection
        self._serial = serial
        self._drain = drain
        self._received = b""
        self._events: list[dict[str, Any]] = []
        self._next_message(time.monotonic() + ANSWER_S)  # the greeting
        self.execute("qmp_capabilities")

    def fileno(self) -> int:
        return self._connection.fileno()

    def close(self) -> None:
        self._connection.close()

    def execute(self, command: str, **arguments: Any) -> Any:
        """What a command returns; events that come before it are kept for `events`."""
        self._send({"execute": command, "arguments": arguments})
        deadline = time.monotonic() + ANSWER_S
        while True:
            message = self._next_message(deadline)
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise LinkError(f"QEMU refused `{command}`: {message['error'].get('desc', message['error'])}")
            self._events.append(message)

    def events(self) -> list[dict[str, Any]]:
        """The events that have come since the last call.  Does not wait."""
        while b"\n" in self._received or select.select([self._connection], [], [], 0)[0]:
            self._events.append(self._next_message(time.monotonic() + ANSWER_S))
        events, self._events = self._events, []
        return events

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise LinkError(f"QEMU does not listen any more: {error.strerror}") from None

    def _next_message(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._received:
            self._receive(deadline)
        line, self._received = self._received.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    def _receive(self, deadline: float) -> None:
        seconds = max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select([self._connection, self._serial], [], [], seconds)
        if not readable or time.monotonic() >= deadline:
            raise LinkError(f"QEMU did not answer within {ANSWER_S:.0f} s")
        if self._serial in readable:
            self._drain()
        if self._connection not in readable:
            return
        try:
            data = self._connection.recv(65_536)
        except OSError:
            data = b""
        if not data or len(self._received) > _LINE_BYTES:
            raise LinkError("QEMU ended")
        self._received += data
