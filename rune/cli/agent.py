"""`rune agent`: the resident firmware of a board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from container.errors import UsageError
from rune.cli import console, feeding

if TYPE_CHECKING:
    from devices.board import Board
    from devices.firmware.build import Agent


@click.command(short_help="Build the agent of a board; install it, or write it to a file.")
@feeding.board_option("Whose agent.", required=True)
@click.option("--port", metavar="PORT", help="Install it through the chip's own loader at this serial port.")
@click.option(
    "-o", "--output", metavar="FILE", type=feeding.FILE, help="Write it to a file: .bin, .hex or .elf."
)
@console.json_option
def command(board: Board, port: str | None, output: Path | None, as_json: bool) -> None:
    """Build the agent of a board, the small firmware that keeps and runs containers.

    It is installed once; containers come through it from then on. A chip whose own loader listens on a serial
    port takes it there; for all others there is a debug probe, and this command says how.

    \b
    rune agent --board netduinoplus2 --port /dev/ttyUSB0
    rune agent --board nrf52840 -o agent.hex
    """
    from container.files import write_atomically
    from devices import agent as agents
    from devices.firmware.build import build_agent

    agents.agent_region(board)
    if port is not None or output is None:
        agents.check_installable(board)
    if port is None and output is None:
        hint = "--port PORT installs it, -o FILE writes it"
        raise UsageError("it is not said where the agent goes", hint=hint)
    with console.Phases(shown=sys.stderr.isatty()) as phases:
        phases("build")
        agent = build_agent(board)
        if output is not None:
            write_atomically(output, agents.encode(agent, board, output.suffix))
        if port is not None:
            phases("install and read back")
            agents.install(agent, board, port)
    facts = _facts(agent, board, output, port)
    if as_json:
        console.print_json(facts)
    else:
        console.say(_line(agent, board, output or port))


def _facts(agent: Agent, board: Board, output: Path | None, port: str | None) -> dict[str, Any]:
    return {
        "board": board.name,
        "flash_bytes": agent.flash_bytes,
        "ram_bytes": agent.ram_bytes,
        "file": None if output is None else str(output),
        "port": port,
    }


def _line(agent: Agent, board: Board, where: Path | str | None) -> str:
    takes = f"{agent.flash_bytes:,} bytes of flash and {agent.ram_bytes:,} of RAM"
    return f"{where}: the agent of {board.name} takes {takes}"
