"""The agent on the virtual nRF52840, through its port: clients of SMP that know nothing of us."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from smp.os_management import EchoWriteResponse
from smpclient import SMPClient
from smpclient.generics import success
from smpclient.requests.os_management import EchoWrite
from smpclient.transport.serial import SMPSerialTransport

from devices import board as boards
from devices.emulators.base import RunningEmulator, start_emulator
from devices.firmware.build import build_agent

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
