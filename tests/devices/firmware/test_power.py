"""Power may fail at any instant: storage is cut at every operation of flash, and again while it recovers.

`RUNE_POWER_CUTS=long` cuts in every way at every place, with more seeds.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from devices.board import Board
from tests.devices.firmware.model import EVEN, MIXED, build_campaign, run_campaign, write_images

LONG = os.environ.get("RUNE_POWER_CUTS") == "long"
BOARDS = pytest.mark.parametrize("board", [EVEN, MIXED], ids=lambda board: board.name)


def totals(output: str) -> dict[str, int]:
    return {name: int(number) for number, name in re.findall(r"(\d+) ([a-z ]+)", output.splitlines()[-1])}


def assert_all_held(output: str) -> None:
    found = totals(output)
    assert [found[kind] for kind in ("bricked", "mixed", "wrong", "violations")] == [0, 0, 0, 0], output


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for board in (EVEN, MIXED):
        folder = tmp_path_factory.mktemp(board.name)
        write_images(folder, board)
        found[board.name] = build_campaign(folder, board)
    return found


@BOARDS
def test_every_cut_and_every_second_cut(
    programs: dict[str, Path], board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the second board, whose erase units are of many sizes, second cuts are left to the long mode."""
    program = programs[board.name]
    variants = "3" if LONG else "1" if board is EVEN else "0"
    for seed in range(4 if LONG else 1):
        done = run_campaign(program, program.parent, "every", str(seed), variants)
        with capsys.disabled():
            print(f"\n{board.name}: {done.stdout.splitlines()[-1]}")  # noqa: T201
        assert done.returncode == 0, done.stdout
        assert_all_held(done.stdout)
        found = totals(done.stdout)
        assert found["cuts"] == 3 * int(done.stdout.split()[1])
        assert found["second cuts"] >= 20 * found["cuts"] * int(variants)
        assert found["uploads resumed"] > 100


@BOARDS
def test_random_requests_cuts_and_flash_failures(programs: dict[str, Path], board: Board) -> None:
    program = programs[board.name]
    sequences = 250_000 if LONG else 20_000
    done = run_campaign(program, program.parent, "random", "11", str(sequences))
    assert done.returncode == 0, done.stdout
    assert_all_held(done.stdout)
    found = totals(done.stdout)
    assert found["random sequences"] == sequences
    assert found["flash failures"] > sequences / 2


# What is replaced in the firmware, by what, for each bug that must be noticed.
BUGS = {
    "the image is not verified": {"bool right = image_right(": "bool right = true || image_right("},
    "the slot is recorded as valid before the data": {
        "  current.slot_of[UPLOADED] = (uint8_t)slot;\n": (
            "  current.slot_of[UPLOADED] = (uint8_t)slot;\n  current.valid |= (uint8_t)(1u << slot);\n"
        )
    },
    "the slot stays valid while it is written over": {
        "  forget(slot);\n  current.slot_of[UPLOADED]": "  current.slot_of[UPLOADED]"
    },
    "the trial is kept in RAM alone": {
        "if (changed && !commit()) chosen = current.slot_of[CONFIRMED];": "(void)changed;"
    },
    "the upload is kept in RAM over a reset": {"  upload.live = false;\n  bool changed": "  bool changed"},
    "confirming does not ask whether the slot is valid": {
        "bool storage_set_confirmed(int slot) {\n  if (!usable(slot)) return false;": (
            "bool storage_set_confirmed(int slot) {"
        )
    },
    "the unit of the newest record is erased": {
        "log_leave_unit(closed == BLANK ? newest : closed);": "log_next = log_unit_end = RECORDS_END;"
    },
    "the unit of the newest closed record is erased for one that is not closed": {
        "log_leave_unit(closed == BLANK ? newest : closed);": "log_leave_unit(newest);"
    },
    "the log goes on in the same unit after a reset": {
        "  log_next = log_unit_end = end;": (
            "  log_unit_end = end;\n  log_next = address == BLANK ? end : address + RECORD_BYTES;"
        )
    },
    "a record is closed by one word": {
        "torn |= current.closed[1] == BLANK;": "torn |= current.closed[0] == BLANK;"
    },
    "a torn record is left as it is": {"  return torn;": "  return false;"},
    "a torn record's number is used again": {"  current.sequence++; /*": "  /*"},
    "the CRC of a record is not looked at": {
        " || next.crc32 != crc32(&next, offsetof(struct record, crc32))": ""
    },
    "an upload goes on without erasing the unit": {
        "upload.erased_end = image_slot_start(slot) + offset;": (
            "upload.erased_end = image_slot_start(slot) + (offset > 0 ? offset + 128 : 0);"
        )
    },
    "progress is recorded before the data": {
        "current.upload_offset = upload.offset;": (
            "current.upload_offset = upload.offset + port_flash_unit(address);"
        )
    },
    "the progress of another upload is believed": {"  current.upload_offset = 0;\n": ""},
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bugs_are_caught(bug: str, tmp_path: Path) -> None:
    write_images(tmp_path, EVEN)
    program = build_campaign(tmp_path, EVEN, BUGS[bug])
    for run in (("every", "1", "0"), ("random", "1", "60000"), ("every", "1", "1")):
        done = run_campaign(program, tmp_path, *run)
        if done.returncode != 0:
            break
    assert done.returncode == 1, "not caught"
    found = totals(done.stdout)
    assert found["bricked"] + found["mixed"] + found["wrong"] + found["violations"] == 1, done.stdout
