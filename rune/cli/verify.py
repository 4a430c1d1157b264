"""`rune verify`: the golden vectors of a container, on this machine or on a board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from container.abi import Profile
from rune.cli import console, feeding

if TYPE_CHECKING:
    from container.sections import Container
    from devices.board import Board
    from runtime.limits import Limits
    from runtime.verify import VerificationReport


@click.command(short_help="Run a container's golden vectors and compare every bit.")
@feeding.container_argument
@feeding.profile_option
@feeding.deadline_option
@feeding.board_option("On an emulated board of this kind; with --port, the board there is one.")
@click.option("--port", metavar="PORT", help="On the board at this serial port, which holds it already.")
@console.json_option
def command(
    container: Path,
    profile: str | None,
    deadline_s: float,
    board: Board | None,
    port: str | None,
    as_json: bool,
) -> None:
    """Run the golden vectors sealed in a container, in every profile or on a board, and compare the outputs.

    Integers and text must be equal to the last bit, floats within a tolerance; else the exit code is 9.

    \b
    rune verify digits.rune
    rune verify digits.rune --board nrf52840
    rune verify digits.rune --port /dev/ttyACM0
    """
    from container import sections
    from runtime.limits import Limits
    from runtime.verify import verify

    profiles = (profile,) if profile else ()
    limits = Limits(deadline_s=deadline_s)
    app = sections.load(container)
    name = None
    if board is None and port is None:
        report = verify(app, profiles=profiles, limits=limits)
    else:
        report, name = _on_board(app, profiles, limits, board, port)
    if as_json:
        facts = {"file": str(container), "ok": not report.differences, "board": name, **asdict(report)}
        console.print_json(facts)
    report.check()
    if not as_json:
        console.say(_sentence(report, name))


def _on_board(
    app: Container, profiles: Sequence[str], limits: Limits, board: Board | None, port: str | None
) -> tuple[VerificationReport, str]:
    """The report, and the name of the board; an emulated one is new and gets the container first."""
    from container.errors import UsageError
    from devices.connection import SIM, Place, board_application
    from rune.cli.flash import flash
    from runtime.verify import verify_on

    if set(profiles) - {Profile.MCU}:
        raise UsageError("boards run the profile `mcu`", hint="leave --profile out")
    limits.check()
    with Place(Path(), board=board, port=port or SIM, fresh=port is None) as place:
        if port is None:
            flash(app, place)
        with board_application(app, place, deadline_s=limits.deadline_s) as application:
            return verify_on(app, application), application.board


def _sentence(report: VerificationReport, board: str | None) -> str:
    where = f"{' and '.join(report.profiles)}{f' on {board}' if board else ''}"
    return (
        f"ok: {report.vectors} golden vector{'s' if report.vectors != 1 else ''} "
        f"of {' and '.join(report.engines)}, {report.elements:,} values equal in {where}{_tolerance(report)}"
    )


def _tolerance(report: VerificationReport) -> str:
    """What the user must know of floats where they were compared less strictly than usual."""
    from container.manifest import Manifest

    usual = report.float_tolerance <= Manifest.golden_tolerance
    return "" if usual else f" (floats within {report.float_tolerance:.0%} of the largest)"
