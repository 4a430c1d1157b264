"""`rune ports`: the serial ports of this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rune.cli import console
from rune.text import table

if TYPE_CHECKING:
    from devices.link.ports import Port

_HEADER = ["port", "USB id", "serial number", "board", "description"]


@click.command(short_help="List the serial ports that are seen.")
@console.json_option
def command(as_json: bool) -> None:
    """List the serial ports of this machine, and the boards whose USB id they have.

    A star marks the port that `rune flash` used last in this project.
    """
    from devices.link import ports

    seen = ports.list_ports()
    remembered = ports.recall(Path())
    last = ports.remembered_port(seen, remembered) if remembered else None
    names = {port: [board.name for board in ports.boards_of(port)] for port in seen}
    if as_json:
        facts = [{**asdict(port), "boards": names[port], "remembered": port == last} for port in seen]
        console.print_json({"ports": facts})
    elif seen:
        console.say(table([_HEADER, *(_line(port, names[port], port == last) for port in seen)]))
    else:
        console.say("no serial ports; `rune simulate BOARD` starts an emulated board")


def _line(port: Port, boards: list[str], last: bool) -> list[str]:
    return [
        port.device + ("*" if last else ""),
        port.usb_id or "-",
        port.serial_number or "-",
        " or ".join(boards) or "-",
        port.description or "-",
    ]
