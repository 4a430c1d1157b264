"""Images: the same bytes every time, and a refusal that names the parts where there is no room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from container.errors import BudgetError
from devices.aot.build import build_image
from devices.board import Region, find
from tests.devices.aot import containers


def test_the_same_container_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    container, board = containers.example("digits"), find("nrf52840")
    first = build_image(container, board).image.encode()
    monkeypatch.setenv("RUNE_CACHE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert build_image(container, board).image.encode() == first


def test_slots_differ_by_their_addresses_alone() -> None:
    container, board = containers.example("digits"), find("nrf52840")
    builds = [build_image(container, board, slot) for slot in (0, 1)]
    assert [build.image.header.address for build in builds] == [slot.start for slot in board.flash.slots]
    assert builds[0].code_bytes == builds[1].code_bytes
    names = [name for _, name in builds[1].symbols]
    assert "run" in names
    assert builds[1].function_at(builds[1].image.header.entry + 2) == "run"
    assert builds[1].function_at(0) is None


def test_what_does_not_fit_is_refused() -> None:
    container, board = containers.example("digits"), find("nrf52840")
    slot = replace(board.flash.slots[0], size=4096)
    flash = replace(board, flash=replace(board.flash, slots=(slot, slot)))
    with pytest.raises(BudgetError, match="flash"):
        build_image(container, flash)
    ram = replace(board, ram=replace(board.ram, container=Region(board.ram.container.start, 1024)))
    with pytest.raises(BudgetError, match="RAM"):
        build_image(container, ram)
