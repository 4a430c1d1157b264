"""Flash with a container in it: agents take it for what they had written themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.errors import ExitCode
from container.sections import seal
from devices.aot.build import build_image
from devices.board import find
from devices.connection import SIM, Place
from devices.emulators.preloaded import SLOT, preloaded_flash
from devices.emulators.sim import start_sim
from devices.flash import flash
from devices.link import agent
from devices.link.session import Session
from devices.link.stream import SerialStream
from tests.devices.aot import containers
from tests.rune.commands import printed, rune
from tests.rune.test_simulate import simulation
from tests.snapshots import assert_snapshot
from tests.tools import needs

BOARD = find("netduinoplus2")


def test_an_agent_that_writes_flash_has_nothing_to_repair(tmp_path: Path) -> None:
    board, state = find("nrf52840"), tmp_path / "flash"
    container = containers.example("digits")
    image = build_image(container, board, SLOT).image
    state.write_bytes(preloaded_flash(board, image))
    with start_sim(board, state) as emulator:
        with Session(lambda: SerialStream(str(emulator.port), board.uart.baud)) as session:
            (found,) = agent.images(session)
            done = flash(container, board, session, lambda slot: build_image(container, board, slot).image)
        emulator.stop()
    assert (found.slot, found.hash, found.active, found.confirmed) == (SLOT, image.sha256, True, True)
    assert not found.pending
    assert done.transfer is None
    # Confirming is all that the agent wrote: one record more.
    assert board.flash.records is not None
    records = slice(board.flash.records.start, board.flash.records.end)
    before, after = preloaded_flash(board, image)[records], state.read_bytes()[records]
    assert after[:64] == before[:64]
    assert len(after.strip(b"\xff")) > 64


def test_a_record_that_is_damaged_counts_for_nothing(tmp_path: Path) -> None:
    board, state = find("nrf52840"), tmp_path / "flash"
    image = build_image(containers.example("digits"), board, SLOT).image
    content = bytearray(preloaded_flash(board, image))
    assert board.flash.records is not None
    content[board.flash.records.start + 6] ^= 1
    state.write_bytes(content)
    with (
        start_sim(board, state) as emulator,
        Session(lambda: SerialStream(str(emulator.port), board.uart.baud)) as session,
    ):
        assert agent.images(session) == []


def test_an_emulator_without_writable_flash_gets_the_container_when_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("qemu-system-arm")
    monkeypatch.chdir(tmp_path)
    app = containers.example("digits")
    Path("digits.rune").write_bytes(seal(app.manifest, app.modules, app.golden))
    picture = containers.EXAMPLES / "digits/seven.png"
    assert rune("verify", "digits.rune", "--board", "netduinoplus2").exit_code == ExitCode.OK
    flashed = rune("flash", "digits.rune", "--board", "netduinoplus2", "--port", "sim")
    assert flashed.stdout == "digits is on netduinoplus2 in slot 0; nothing had to be sent\n"
    # The project remembers the board, and its flash the container.
    ran = rune("run", "digits.rune", "--port", "sim", "--image", picture)
    assert '"values":["seven"]' in ran.stdout


def test_what_is_sent_to_such_an_emulator_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("qemu-system-arm")
    monkeypatch.chdir(tmp_path)
    app = containers.example("digits")
    Path("digits.rune").write_bytes(seal(app.manifest, app.modules, app.golden))
    with simulation("netduinoplus2") as (_, port):
        result = rune("flash", "digits.rune", "--board", "netduinoplus2", "--port", port)
    assert result.exit_code == ExitCode.LINK
    assert_snapshot("cli/flash-read-only.txt", printed(result, port=port))


def test_only_a_place_that_is_emulated_is_preloaded(tmp_path: Path) -> None:
    assert not Place(tmp_path, board=BOARD, port="/dev/ttyUSB0").takes_preloaded
    with Place(tmp_path, port=SIM) as place:
        assert not place.takes_preloaded
