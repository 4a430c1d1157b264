"""`rune export`: what a board executes, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rune.cli import console, feeding

if TYPE_CHECKING:
    from devices.board import Board


@click.command(short_help="Write what a board executes to a file.")
@feeding.container_argument
@feeding.board_option("Which board.", required=True)
@click.option("--slot", metavar="N", type=int, default=0, show_default=True, help="Of a board with an agent.")
@click.option("-o", "--output", metavar="FILE", type=feeding.FILE, required=True, help="The file.")
@console.json_option
def command(container: Path, board: Board, slot: int, output: Path, as_json: bool) -> None:
    """Write what `rune flash` would send, for other tools, or C for firmware of your own.

    The suffix says which: `.img` is the image that an agent takes, `.hex` the one for an AVR's bootloader,
    `.c` is a unit of C. An image runs in the slot that it was made for alone.

    \b
    rune export digits.rune --board nrf52840 -o digits.img
    rune export sine.rune --board uno -o sine.hex
    """
    from container.files import write_atomically
    from container.sections import load
    from devices.export import export

    data = export(load(container), board, output.suffix, slot)
    write_atomically(output, data)
    if as_json:
        facts = {"file": str(output), "board": board.name, "slot": slot, "bytes": len(data)}
        console.print_json(facts)
    else:
        console.say(f"{output}: {len(data):,} bytes for {board.name}")
