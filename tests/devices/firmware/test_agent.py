"""The agent in QEMU, spoken to by an unmodified client of SMP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from smpclient.requests.image_management import ImageStatesRead
from smpclient.requests.os_management import EchoWrite, MCUMgrParametersRead

from devices.board import boards
from tests.devices.firmware.emulated import ask, qemu
from tests.tools import needs

FRAMINGS = ("console", "cobs")
EMULATED = ("mps2-an386", "microbit", "netduinoplus2")
WITH_AGENT = [board.name for board in boards() if board.has_agent]


@pytest.fixture(scope="module", params=EMULATED)
def board(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def port(board: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    needs("qemu-system-arm")
    with qemu(board, tmp_path_factory.mktemp(board)) as path:
        yield path


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("text", ["", "a", "Grüße", "x" * 600], ids=["empty", "short", "utf8", "long"])
def test_it_echoes(port: str, framing: str, text: str) -> None:
    (answer,) = ask(port, framing, EchoWrite(d=text))
    assert answer.r == text


@pytest.mark.parametrize("framing", FRAMINGS)
def test_it_tells_its_buffer(port: str, framing: str) -> None:
    (answer,) = ask(port, framing, MCUMgrParametersRead())
    assert answer.buf_size >= 1024
    assert answer.buf_count == 1


def test_an_empty_board_has_no_images(port: str) -> None:
    (answer,) = ask(port, "cobs", ImageStatesRead())
    assert answer.images == []
