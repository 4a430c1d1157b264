"""`rune boards`: every board, and how far it was tried."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.rune.commands import ROOT, printed, rune
from tests.snapshots import assert_snapshot


def test_the_table() -> None:
    assert_snapshot("cli/boards.txt", printed(rune("boards")))


def test_json_has_what_a_tool_must_know_of_a_board() -> None:
    facts = json.loads(rune("boards", "--json").stdout)
    assert facts["schema"] == 1
    uno = next(board for board in facts["boards"] if board["name"] == "uno")
    assert uno == {
        "name": "uno",
        "title": "Arduino Uno: ATmega328P",
        "status": "emulated",
        "cpu": {"architecture": "avr", "clock_hz": 16_000_000, "mpu": False},
        "flash_bytes": 32 << 10,
        "slot_bytes": [0x7E00],
        "ram_bytes": 2 << 10,
        "container_ram_bytes": 2 << 10,
        "agent": False,
        "baud": 115_200,
        "loader": {"container": "avrdude", "agent": "none"},
        "emulator": "simavr",
        "usb_ids": ["2341:0043", "2341:0001", "2A03:0043"],
    }


def test_completion_knows_the_boards() -> None:
    words = {"_RUNE_COMPLETE": "bash_complete", "COMP_WORDS": "rune size --board n", "COMP_CWORD": "3"}
    result = subprocess.run(
        [sys.executable, "-c", "from rune.cli import main; main()"],
        cwd=ROOT,
        env={**os.environ, **words},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "plain,netduinoplus2\nplain,nrf52840\n"
