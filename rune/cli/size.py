"""`rune size`: what a container takes, and whether a board has room for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from container.abi import Profile
from container.errors import ExitCode
from rune.cli import console, feeding

if TYPE_CHECKING:
    from container.sections import Container
    from devices.board import Board
    from rune.pictures.timeline import Timeline


@click.command(short_help="Show what a container takes, and whether a board has room for it.")
@feeding.container_argument
@feeding.board_option("Compile it for this board, and show what it takes there.")
@click.option("--timeline", is_flag=True, help="Draw where tensors lie in memory, step by step.")
@feeding.svg_option("Write that picture to a file, for papers and pages.")
@click.option(
    "--profile",
    type=click.Choice([profile.value for profile in Profile]),
    help="Whose memory is drawn; mcu where there is one.",
)
@console.json_option
def command(
    container: Path, board: Board | None, timeline: bool, svg: Path | None, profile: str | None, as_json: bool
) -> int:
    """Show what a container takes: of its file, and of memory by part and by stage.

    With a board: what its image takes of flash and RAM there.  Ends with exit code 10 when it does not fit.

    \b
    rune size digits.rune
    rune size digits.rune --board nrf52840
    rune size digits.rune --timeline --svg memory.svg
    """
    from container import sections
    from devices.size import report
    from rune import sizes

    app = sections.load(container)
    picture = _picture(app, board, profile) if timeline or svg else None
    found = report(app, board)
    if as_json:
        console.print_json({"file": str(container), **sizes.facts(found)})
    elif found.board is not None:
        console.say(sizes.board_page(found, found.board))
    else:
        console.say(sizes.page(found))
    if picture is not None:
        _draw(picture, app.manifest.name, svg, shown=timeline and not as_json)
    return ExitCode.BUDGET if found.board is not None and not found.board.need.fits else ExitCode.OK


def _picture(app: Container, board: Board | None, profile: str | None) -> Timeline:
    """The picture that is asked for.  Raises UsageError for a profile that is not there."""
    from container.errors import UsageError
    from devices.budget import board_plan
    from rune.pictures.timeline import timeline

    plans = app.manifest.plans
    if board is not None:
        if profile not in (None, Profile.MCU):
            raise UsageError("boards run the profile `mcu`", hint="leave --profile out")
        return timeline(Profile.MCU, board_plan(app.manifest))
    chosen = Profile(profile) if profile else Profile.MCU if Profile.MCU in plans else Profile.SIMD
    if chosen not in plans:
        raise UsageError(f"the container has no profile `{chosen}`", hint=f"it has {' and '.join(plans)}")
    return timeline(chosen, plans[chosen])


def _draw(picture: Timeline, name: str, svg: Path | None, *, shown: bool) -> None:
    from container.files import write_atomically
    from rune.pictures import timeline_svg, timeline_text

    if shown:
        console.say(f"\nActivations over time, profile {picture.profile}: {picture.summary}\n")
        console.show(
            timeline_text.draw(picture, console.columns(), console.characters(), console.stage_color)
        )
    if svg is not None:
        write_atomically(svg, timeline_svg.draw(picture, name))
