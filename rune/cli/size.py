"""`rune size`: what a container takes, and whether a board has room for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from container.errors import ExitCode
from rune.cli import console, feeding

if TYPE_CHECKING:
    from devices.board import Board


@click.command(short_help="Show what a container takes, and whether a board has room for it.")
@feeding.container_argument
@feeding.board_option("Compile it for this board, and show what it takes there.")
@console.json_option
def command(container: Path, board: Board | None, as_json: bool) -> int:
    """Show what a container takes: of its file, and of memory by part and by stage.

    With a board: what its image takes of flash and RAM there.  Ends with exit code 10 when it does not fit.

    \b
    rune size digits.rune
    rune size digits.rune --board nrf52840
    """
    from container import sections
    from devices.size import report
    from rune import sizes

    found = report(sections.load(container), board)
    if as_json:
        console.print_json({"file": str(container), **sizes.facts(found)})
    elif found.board is not None:
        console.say(sizes.board_page(found, found.board))
    else:
        console.say(sizes.page(found))
    return ExitCode.BUDGET if found.board is not None and not found.board.need.fits else ExitCode.OK
