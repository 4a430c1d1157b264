"""A port as slow as a cable."""

from __future__ import annotations

import os
import select
import time

from devices.emulators.pty import Pty

BYTES = 400
BAUD = 115_200
ANSWER_S = 10.0


def test_a_baud_rate_lets_everything_pass_and_nothing_too_early() -> None:
    """As an emulator does it: what may not pass yet is waited for as long as `wait_s` says, no longer."""
    with Pty(baud=BAUD) as pty:
        client = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
        began, arrived = time.monotonic(), b""
        os.write(client, bytes(BYTES))
        while len(arrived) < BYTES:
            pty.flush()
            wait_s = pty.wait_s()
            select.select([] if wait_s else [pty.fileno()], [], [], wait_s or ANSWER_S)
            assert pty.wait_s() == wait_s
            if not wait_s:
                arrived += pty.receive(BYTES)
            assert time.monotonic() - began < ANSWER_S
        os.close(client)
    assert time.monotonic() - began > 0.8 * BYTES * 10 / BAUD
