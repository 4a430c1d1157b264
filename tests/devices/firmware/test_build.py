"""What the agent's build makes, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from container.errors import BudgetError, ContainerError, UsageError
from devices.board import Board, Region, boards, find
from devices.firmware import build
from devices.firmware.build import build_agent
from devices.firmware.protection import Window, protection, window

WITH_AGENT = [board for board in boards() if board.has_agent]
FLASH_GOAL_BYTES = 12 * 1024
RAM_GOAL_BYTES = 4 * 1024


@pytest.mark.parametrize("board", WITH_AGENT, ids=lambda board: board.name)
def test_it_fits_and_starts_where_the_core_looks(board: Board) -> None:
    agent = build_agent(board)
    assert board.flash.agent is not None
    assert board.ram.agent is not None
    assert len(agent.image) == agent.flash_bytes <= min(FLASH_GOAL_BYTES, board.flash.agent.size)
    assert agent.ram_bytes <= RAM_GOAL_BYTES
    stack, entry = (int.from_bytes(agent.image[place : place + 4], "little") for place in (0, 4))
    assert stack == board.ram.agent.start + agent.stack_bytes
    assert entry == agent.symbols["reset_handler"] | 1


def test_it_is_the_same_whenever_it_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_agent(find("mps2-an386"))
    monkeypatch.setenv("RUNE_CACHE_DIR", str(tmp_path))
    assert build_agent(find("mps2-an386")).image == first.image
    assert list((tmp_path / "agents").iterdir())


def test_a_second_build_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_agent(find("mps2-an386"))
    monkeypatch.setattr(build, "run_zig", lambda *arguments: pytest.fail("it compiled"))
    assert build_agent(find("mps2-an386")) == first


def test_a_board_without_an_agent_is_refused() -> None:
    with pytest.raises(UsageError, match="uno has no agent"):
        build_agent(find("uno"))


def test_an_agent_that_does_not_fit_is_refused() -> None:
    board = find("microbit")
    flash = replace(board.flash, agent=Region(0, 0x1000))
    with pytest.raises(BudgetError, match=r"12,\d+ bytes of flash, microbit has 4,096"):
        build_agent(replace(board, flash=flash))
    ram = replace(board.ram, agent=Region(0x2000_3C00, 0x400))
    with pytest.raises(BudgetError, match=r"bytes of RAM, microbit has 1,024"):
        build_agent(replace(board, ram=ram))


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (Region(0x2000_0000, 0x2000), Window(0x2000_0000, 0x2000, 0)),
        (Region(0x0001_0000, 0x7_0000), Window(0, 0x8_0000, 0b0000_0001)),
        (Region(0x0008_0000, 0x7_0000), Window(0x8_0000, 0x8_0000, 0b1000_0000)),
        (Region(0x0802_0000, 0x6_0000), Window(0x0800_0000, 0x8_0000, 0b0000_0011)),
        (Region(0x2000_0040, 0x20), Window(0x2000_0040, 0x20, 0)),
    ],
)
def test_windows_cover_regions(region: Region, expected: Window) -> None:
    assert window(region) == expected
    assert window(region).covered == region


def test_the_register_s_bits_are_those_of_the_manual() -> None:
    # ARMv7-M ARM, B3.5.9: SIZE is the logarithm less one, in bits 1 to 5; SRD is in bits 8 to 15.
    assert Window(0x8_0000, 0x8_0000, 0x80).size_bits == 0x80 << 8 | 18 << 1


@pytest.mark.parametrize(
    "board", [board for board in WITH_AGENT if board.cpu.mpu], ids=lambda board: board.name
)
def test_nothing_but_its_own_is_open_to_a_container(board: Board) -> None:
    found = protection(board)
    assert tuple(part.covered for part in found.slots) == board.flash.slots
    assert found.agent_ram.covered == board.ram.agent
    ram, agent = found.container_ram.covered, found.agent_ram.covered
    assert ram.start == board.ram.container.start
    assert ram.end in (board.ram.container.end, agent.end)


@pytest.mark.parametrize(
    "slots",
    [
        (Region(0x1_1000, 0x7_0000), Region(0x8_0000, 0x7_0000)),
        (Region(0x1_0000, 0x6_F000), Region(0x8_0000, 0x7_0000)),
    ],
    ids=["start", "end"],
)
def test_slots_that_no_window_covers_are_refused(slots: tuple[Region, Region]) -> None:
    board = find("nrf52840")
    with pytest.raises(ContainerError, match="slot 0"):
        protection(replace(board, flash=replace(board.flash, slots=slots)))


def test_ram_that_would_be_open_beside_the_container_s_is_refused() -> None:
    board = find("nrf52840")
    container = Region(0x2000_0000, 0x3_0100)
    with pytest.raises(ContainerError, match="more than the container's RAM"):
        protection(replace(board, ram=replace(board.ram, container=container)))
