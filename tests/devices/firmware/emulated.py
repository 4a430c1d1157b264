"""A board in QEMU with its serial port on a pty, and clients of SMP that know nothing of us."""

from __future__ import annotations

import asyncio
import re
import selectors
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smpclient import SMPClient
from smpclient.transport import SMPTransport
from smpclient.transport.serial import Cobs, SMPSerialRawTransport, SMPSerialTransport

from devices.board import find
from devices.firmware.build import build_agent

START_S = 20.0
ANSWER_S = 20.0


@contextmanager
def qemu(name: str, folder: Path) -> Iterator[str]:
    """The path of the serial port of a board that runs its agent."""
    board = find(name)
    assert board.emulator is not None
    assert board.flash.agent is not None
    firmware = folder / "agent.bin"
    firmware.write_bytes(build_agent(board).image)
    command = ["qemu-system-arm", "-machine", board.emulator.machine, "-nodefaults", "-display", "none"]
    command += ["-serial", "pty", "-device", f"loader,file={firmware},addr={board.flash.agent.start:#x}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield _port(process)
    finally:
        process.kill()
        process.communicate()


def _port(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(START_S), "QEMU did not say its serial port"
    found = re.search(r"/dev/pts/\d+", process.stdout.readline().decode())
    assert found
    return found[0]


def transport(framing: str) -> SMPTransport:
    return SMPSerialRawTransport(mtu=1024, framing=Cobs()) if framing == "cobs" else SMPSerialTransport()


def ask(port: str, framing: str, *requests: Any) -> list[Any]:
    """The answers to requests, one after the other on one connection."""

    async def talk() -> list[Any]:
        async with SMPClient(transport(framing), port, ANSWER_S) as client:
            return [await client.request(request) for request in requests]

    return asyncio.run(talk())
