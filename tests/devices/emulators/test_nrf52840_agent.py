"""The agent on the virtual nRF52840, through its port: clients of SMP that know nothing of us."""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from smp.image_management import ImageStatesReadResponse
from smp.os_management import EchoWriteResponse
from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests.image_management import ImageStatesRead
from smpclient.requests.os_management import EchoWrite
from smpclient.transport.serial import SMPSerialTransport

from devices import board as boards
from devices.emulators.base import RunningEmulator, start_emulator
from devices.emulators.nrf52840.board import KEEP_S
from devices.firmware.build import build_agent
from devices.image import HEADER_BYTES, BoardImage, ImageHeader

ANSWER_S = 20.0


@pytest.fixture(scope="module")
def agent() -> bytes:
    return build_agent(boards.find("nrf52840")).image


@pytest.fixture
def emulator(agent: bytes, tmp_path: Path) -> Iterator[RunningEmulator]:
    with start_emulator(boards.find("nrf52840"), firmware=agent, state=tmp_path / "flash") as running:
        yield running


async def echo(port: Path, words: str) -> str:
    async with SMPClient(SMPSerialTransport(), str(port)) as client:
        response = await client.request(EchoWrite(d=words), timeout_s=ANSWER_S)
        assert success(response)
        assert isinstance(response, EchoWriteResponse)
        return response.r


def test_clients_come_and_go(emulator: RunningEmulator) -> None:
    for words in ("first", "second", "x" * 200):
        assert asyncio.run(echo(emulator.port, words)) == words


def test_idle_it_leaves_the_processor_to_others(emulator: RunningEmulator) -> None:
    assert asyncio.run(echo(emulator.port, "awake")) == "awake"
    used = processor_seconds(emulator.pid)
    began = time.monotonic()
    while (passed := time.monotonic() - began) < 1.0:
        select.select([], [], [], 1.0 - passed)
    assert processor_seconds(emulator.pid) - used < 0.5


def processor_seconds(pid: int) -> float:
    """proc(5): user and system time, in ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_power_failure_keeps_what_was_uploaded(agent: bytes, tmp_path: Path) -> None:
    board, state = boards.find("nrf52840"), tmp_path / "flash"
    image = board_image(board).encode()
    with start_emulator(board, firmware=agent, state=state) as emulator:
        asyncio.run(upload(emulator.port, image))
        wait_until_kept(state)
        emulator.kill()
    with start_emulator(board, firmware=agent, state=state) as emulator:
        assert asyncio.run(hashes(emulator.port)) == [image[-32:]]
        assert emulator.messages == "pin 6 is high"


def wait_until_kept(state: Path) -> None:
    """Flash that does not change any more is kept within `KEEP_S`: the file has to stay the same."""
    deadline = time.monotonic() + ANSWER_S
    since, inode = time.monotonic(), -1
    while time.monotonic() - since < 8 * KEEP_S:
        assert time.monotonic() < deadline
        if inode != (inode := state.stat().st_ino):
            since = time.monotonic()


def board_image(board: boards.Board) -> BoardImage:
    """One whose code nobody runs."""
    header = ImageHeader(
        board=board.name,
        address=board.flash.slots[0].start,
        entry=board.flash.slots[0].start + HEADER_BYTES,
        ram_start=board.ram.container.start,
        ram_bytes=4096,
        stack_bytes=1024,
        progress=board.ram.container.start + 1024,
        ports=board.flash.slots[0].start + HEADER_BYTES,
        container_sha256=bytes(32),
    )
    return BoardImage(header, b"\xff" * 8000)


async def upload(port: Path, image: bytes) -> None:
    async with SMPClient(SMPSerialTransport(), str(port)) as client:
        async for _ in client.upload(image, subsequent_timeout_s=ANSWER_S):
            pass


async def hashes(port: Path) -> list[bytes | None]:
    """Of the images on the board."""
    async with SMPClient(SMPSerialTransport(), str(port)) as client:
        response = await client.request(ImageStatesRead(), timeout_s=ANSWER_S)
        assert success(response)
        assert isinstance(response, ImageStatesReadResponse)
        return [state.hash for state in response.images]
