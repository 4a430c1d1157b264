"""The agent in QEMU, spoken to by clients of SMP that know nothing of us: smpclient and smpmgr."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from smp.message import ReadRequest, WriteRequest
from smpclient import SMPClient
from smpclient.generics import error
from smpclient.requests.image_management import (
    ImageErase,
    ImageStatesRead,
    ImageStatesWrite,
    ImageUploadWrite,
)
from smpclient.requests.os_management import (
    EchoWrite,
    MCUMgrParametersRead,
    OSApplicationInfoRead,
    ResetWrite,
)
from smpclient.transport import SMPTransport
from smpclient.transport.serial import Cobs, SMPSerialRawTransport, SMPSerialTransport

from tests.devices.firmware.boards import running_board
from tests.devices.firmware.guests import guest

FRAMINGS = ("console", "cobs")
ANSWER_S = 20.0
BODY = (
    "static const uint8_t filler[6000] = {1, 2, 3};\nstatic int32_t run(void) { return filler[progress]; }\n"
)


@pytest.fixture(scope="module", params=["mps2-an386", "microbit", "netduinoplus2"])
def board(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def port(board: str) -> Iterator[str]:
    with running_board(board) as path:
        yield path


@pytest.fixture(params=["mps2-an386", "microbit"])
def fresh(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The name and the port of a board without containers."""
    with running_board(request.param) as path:
        yield request.param, path


def transport(framing: str) -> SMPTransport:
    return SMPSerialRawTransport(mtu=1020, framing=Cobs()) if framing == "cobs" else SMPSerialTransport()


def ask(port: str, framing: str, *requests: Any) -> list[Any]:
    """The answers to requests, one after the other on one connection."""

    async def talk() -> list[Any]:
        async with SMPClient(transport(framing), port, ANSWER_S) as client:
            return [await client.request(request) for request in requests]

    return asyncio.run(talk())


def upload(port: str, framing: str, image: bytes) -> list[int]:
    """The offsets that the board answered."""

    async def talk() -> list[int]:
        async with SMPClient(transport(framing), port, ANSWER_S) as client:
            return [offset async for offset in client.upload(image, first_timeout_s=ANSWER_S)]

    return asyncio.run(talk())


def states(port: str) -> dict[int, set[str]]:
    """What is true of the image in each slot that holds one."""
    (answer,) = ask(port, "cobs", ImageStatesRead())
    flags = ("bootable", "pending", "confirmed", "active")
    return {state.slot: {flag for flag in flags if getattr(state, flag)} for state in answer.images}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_it_echoes(port: str, framing: str) -> None:
    texts = ["", "a", "Grüße", "x" * 253, "x" * 254, "x" * 900]
    assert [answer.r for answer in ask(port, framing, *(EchoWrite(d=text) for text in texts))] == texts


@pytest.mark.parametrize("framing", FRAMINGS)
def test_it_takes_packets_as_large_as_it_says(port: str, framing: str) -> None:
    (answer,) = ask(port, framing, MCUMgrParametersRead())
    assert answer.buf_count == 1
    text = "x" * (answer.buf_size - 4 - len(EchoWrite(d="x" * 300).BYTES) + 300)

    async def talk() -> str:
        large = (
            SMPSerialRawTransport(mtu=answer.buf_size, framing=Cobs())
            if framing == "cobs"
            else transport(framing)
        )
        async with SMPClient(large, port, ANSWER_S) as client:
            return str((await client.request(EchoWrite(d=text))).r)  # type: ignore[union-attr]

    assert asyncio.run(talk()) == text


def test_it_says_what_it_is(port: str, board: str) -> None:
    (answer,) = ask(port, "console", OSApplicationInfoRead())
    assert answer.output.startswith("Rune agent ")
    assert answer.output.endswith(f" {board}")


def test_what_it_does_not_know_it_refuses(port: str) -> None:
    class Unknown(ReadRequest):
        _GROUP_ID = 99
        _COMMAND_ID = 1

    class Wrong(WriteRequest):
        _GROUP_ID = 0
        _COMMAND_ID = 0
        d: int

    for request, code in ((Unknown(), 8), (Wrong(d=1), 3)):
        assert raw_answer(port, request.BYTES)[8:] == b"\xa1\x62rc" + bytes([code])


def raw_answer(port: str, packet: bytes) -> bytes:
    async def talk() -> bytes:
        line = transport("cobs")
        await line.connect(port, ANSWER_S)
        try:
            return await asyncio.wait_for(line.send_and_receive(packet), ANSWER_S)
        finally:
            await line.disconnect()

    return asyncio.run(talk())


@pytest.mark.parametrize("framing", FRAMINGS)
def test_noise_does_not_stop_it(port: str, framing: str) -> None:
    async def talk() -> str:
        line = transport(framing)
        async with SMPClient(line, port, ANSWER_S) as client:
            line._conn.write(b"hello\r\n\x06\x09####\n\x04\x14AAAA\n\x02\x0a\x05\x00\xff\x06\x09AAA\n\x00")  # type: ignore[attr-defined]
            return str((await client.request(EchoWrite(d="still here"))).r)  # type: ignore[union-attr]

    assert asyncio.run(talk()) == "still here"


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_container_is_uploaded_tried_and_kept(fresh: tuple[str, str], framing: str) -> None:
    board, port = fresh
    image = guest(board, 0, BODY).encode()
    assert states(port) == {}
    offsets = upload(port, framing, image)
    assert offsets[-1] == len(image)
    assert offsets == sorted(offsets)
    assert states(port) == {0: {"bootable"}}
    ask(port, framing, ImageStatesWrite(hash=image[-32:]))
    assert states(port) == {0: {"bootable", "pending"}}
    ask(port, framing, ResetWrite())
    assert states(port) == {0: {"bootable", "active"}}
    (answer,) = ask(port, framing, ImageStatesWrite(confirm=True))
    assert [bytes(state.hash) for state in answer.images] == [image[-32:]]
    ask(port, framing, ResetWrite())
    assert states(port) == {0: {"bootable", "active", "confirmed"}}


def test_an_upload_goes_on_where_it_stopped(fresh: tuple[str, str]) -> None:
    board, port = fresh
    image = guest(board, 0, BODY).encode()
    begin = ImageUploadWrite(off=0, data=image[:512], len=len(image), sha=hashlib.sha256(image).digest())
    (first,) = ask(port, "cobs", begin)
    assert first.off == 512
    (repeated,) = ask(port, "cobs", begin)
    assert repeated.off == 512
    (stray,) = ask(port, "cobs", ImageUploadWrite(off=4096, data=b"stray"))
    assert stray.off == 512
    offsets = upload(port, "cobs", image)
    assert (offsets[0], offsets[-1]) == (512, len(image))
    assert states(port) == {0: {"bootable"}}


def test_what_was_damaged_on_the_way_is_refused(fresh: tuple[str, str]) -> None:
    board, port = fresh
    image = bytearray(guest(board, 0, BODY).encode())
    image[1000] ^= 1
    with pytest.raises(Exception, match="rc=9"):
        upload(port, "cobs", bytes(image))
    assert states(port) == {}


def test_erasing(fresh: tuple[str, str]) -> None:
    board, port = fresh
    images = [guest(board, slot, BODY).encode() for slot in (0, 1)]
    upload(port, "cobs", images[0])
    ask(port, "cobs", ImageStatesWrite(hash=images[0][-32:], confirm=True), ResetWrite())
    upload(port, "cobs", images[1])
    assert set(states(port)) == {0, 1}
    refused, missing, done = ask(port, "cobs", ImageErase(slot=0), ImageErase(slot=2), ImageErase(slot=1))
    assert error(refused)
    assert error(missing)
    assert not error(done)
    assert set(states(port)) == {0}


def test_smpmgr_manages_containers(fresh: tuple[str, str], tmp_path: Path) -> None:
    board, port = fresh
    image = guest(board, 0, BODY)
    file = tmp_path / "container.img"
    file.write_bytes(image.encode())
    digest = image.sha256.hex().upper()
    smpmgr(port, "image", "upload", str(file))
    assert digest in smpmgr(port, "image", "state-read")
    smpmgr(port, "image", "state-write", digest, "--confirm")
    smpmgr(port, "os", "reset")
    listed = smpmgr(port, "image", "state-read")
    assert "active=True" in listed
    assert "confirmed=True" in listed


def smpmgr(port: str, *arguments: str) -> str:
    """What the real program prints."""
    command = [sys.executable, "-m", "smpmgr", "--port", port, "--timeout", str(ANSWER_S), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return "".join(done.stdout.split("\n"))
