"""The board written from the protocol's page, on a pseudo-terminal, for whole commands."""

from __future__ import annotations

import os
import select
import threading
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.devices.link.fake_board import FakeBoard, Wire


@contextmanager
def plugged_in(board: FakeBoard, notifications: Sequence[bytes] = ()) -> Iterator[str]:
    """The path of the board's port.  The notifications are sent as soon as they are asked for."""
    master, slave = os.openpty()
    tty.setraw(slave)
    stopped, stop = os.pipe()
    thread = threading.Thread(target=_serve, args=(Wire(board), master, stopped, list(notifications)))
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        os.write(stop, b"\0")
        thread.join()
        for descriptor in (master, slave, stopped, stop):
            os.close(descriptor)


def _serve(wire: Wire, master: int, stopped: int, notifications: list[bytes]) -> None:
    while True:
        readable, _, _ = select.select([master, stopped], [], [])
        if stopped in readable:
            return
        answer = wire.receive(os.read(master, 4096))
        if wire.board.notify:
            answer += b"".join(map(wire.notify, notifications))
            notifications.clear()
        os.write(master, answer)
