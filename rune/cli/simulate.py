"""`rune simulate`: an emulated board, as if it were plugged in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from container.errors import ExitCode
from rune.cli import console, feeding

if TYPE_CHECKING:
    from devices.board import Board


@click.command(short_help="Run an emulated board on a serial port of its own.")
@click.argument("board", metavar="BOARD", type=feeding.BoardName())
@click.option(
    "--state",
    metavar="FILE",
    type=feeding.FILE,
    help="Keeps the flash: the board starts with what it held the last time. By default it starts empty.",
)
@click.option(
    "--bare", is_flag=True, help="Leave the agent away: what is in the state, or erased flash, starts."
)
@click.option("--baud-limit", is_flag=True, help="Be as slow as a cable of the board's baud rate.")
def command(board: Board, state: Path | None, bare: bool, baud_limit: bool) -> int:
    """Run an emulated board until interrupted, and print its serial port as `port: PATH`.

    The port takes whatever takes a real one: `rune flash --port PATH`, `smpmgr`, `avrdude`. A board with an
    agent gets the present one, beside the containers that its state keeps.

    \b
    rune simulate nrf52840 --state board.flash
    rune flash digits.rune --board nrf52840 --port PATH
    """
    from devices.emulators import process
    from devices.emulators.base import Settings

    def started(port: Path) -> None:
        console.say(f"port: {port}")
        sys.stdout.flush()
        click.echo(f"{board.name} runs{_hint(board, port)}\nCtrl-C ends it", err=True)

    firmware = None if bare else _agent(board)
    process.run(Settings(board, firmware, state), baud_limit=baud_limit, started=started)
    return ExitCode.INTERRUPTED


def _hint(board: Board, port: Path) -> str:
    if board.emulator is not None and board.emulator.read_only_flash:
        return (
            "; its emulator cannot write flash, so that it takes no containers: "
            f"rune flash APP.rune --board {board.name} --port sim"
        )
    return f"; in another terminal: rune flash APP.rune --board {board.name} --port {port}"


def _agent(board: Board) -> bytes | None:
    """None for a board that comes with its bootloader alone."""
    if not board.has_agent:
        return None
    from devices.firmware.build import build_agent

    return build_agent(board).image
