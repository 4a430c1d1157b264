"""`rune boards`: the boards that are known."""

from __future__ import annotations

from typing import Any

import click

from devices.board import Board, boards
from rune.cli import console
from rune.text import table

_HEADER = ["board", "CPU", "clock", "flash", "RAM", "status", "emulator", "USB ids", "title"]
_RIGHT = (2, 3, 4)


@click.command(short_help="List the boards that are known.")
@console.json_option
def command(as_json: bool) -> None:
    """List the boards that are known, and how far each was tried.

    A board is `emulated` where all of it runs in an emulator, `rom-tested` where its loader was tried
    against a model of the chip's ROM and the rest in an emulator, else `untested`: none of this was run on
    hardware.
    """
    found = boards()
    if as_json:
        console.print_json({"boards": [_facts(board) for board in found]})
    else:
        console.say(table([_HEADER, *map(_line, found)], right=_RIGHT))


def _line(board: Board) -> list[str]:
    return [
        board.name,
        board.cpu.architecture,
        f"{board.cpu.clock_hz / 1e6:g} MHz",
        f"{board.flash.size // 1024:,} KiB",
        f"{board.ram.size // 1024:,} KiB",
        board.status,
        board.emulator.kind if board.emulator else "-",
        " ".join(board.usb_ids) or "-",
        board.title,
    ]


def _facts(board: Board) -> dict[str, Any]:
    return {
        "name": board.name,
        "title": board.title,
        "status": board.status,
        "cpu": {
            "architecture": board.cpu.architecture,
            "clock_hz": board.cpu.clock_hz,
            "mpu": board.cpu.mpu,
        },
        "flash_bytes": board.flash.size,
        "slot_bytes": [slot.size for slot in board.flash.slots],
        "ram_bytes": board.ram.size,
        "container_ram_bytes": board.ram.container.size,
        "agent": board.has_agent,
        "baud": board.uart.baud,
        "loader": {"container": board.loader.container, "agent": board.loader.agent},
        "emulator": board.emulator.kind if board.emulator else None,
        "usb_ids": list(board.usb_ids),
    }
