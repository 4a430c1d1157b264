"""`rune flash`: a container onto a board."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rune.cli import console, feeding

if TYPE_CHECKING:
    from container.sections import Container
    from devices.board import Board
    from devices.connection import Place
    from devices.flash import Flashed
    from devices.image import BoardImage
    from devices.link.upload import Progress, Transfer


@click.command(short_help="Put a container on a board and start it.")
@feeding.container_argument
@feeding.board_option("Which board; the one flashed last by default.")
@feeding.port_option
@click.option("--monitor", is_flag=True, help="Then show what the board says, as `rune monitor` does.")
@click.option("-v", "--verbose", is_flag=True, help="Show each phase, and what limits the rate.")
@console.json_option
def command(
    container: Path, board: Board | None, port: str | None, monitor: bool, verbose: bool, as_json: bool
) -> None:
    """Translate a container to a board's machine code, send it, verify it there, and start it.

    The board keeps the container that it had until the new one has started without a fault. What the board
    has already is not sent again, and what was interrupted goes on where it stopped.

    \b
    rune flash digits.rune --board nrf52840 --port /dev/ttyACM0
    rune flash digits.rune --board nrf52840 --port sim
    """
    from container.errors import UsageError
    from container.sections import load
    from devices.connection import Place

    app = load(container)
    with Place(Path(), board=board, port=port) as place:
        if place.board is None:
            raise UsageError(
                "it is not said which board", hint="name it with --board; `rune boards` lists them"
            )
        facts = flash(app, place.board, place, verbose=verbose)
        place.remember(place.board, app, container)
        if as_json:
            console.print_json({"port": place.port.device, **facts})
        else:
            console.say(_sentence(app, facts))
        if monitor:
            from rune.cli.monitor import listen

            listen(place, container=container)


def flash(app: Container, board: Board, place: Place, *, verbose: bool = False) -> dict[str, Any]:
    """Flash with progress on stderr; returns the facts."""
    with console.Phases(shown=verbose) as phases:
        if not board.has_agent:
            from devices.loaders.avrdude import flash_avr

            flash_avr(app, board, place.port.device, phases)
            return {"board": board.name, "container_sha256": app.digest, "transfer": None, "slot": None}
        from devices.aot.build import build_image
        from devices.flash import flash as flash_board

        def translate(slot: int) -> BoardImage:
            return build_image(app, board, slot).image

        with place.connect() as session, _progress_bar(shown=not verbose) as report:
            done = flash_board(app, board, session, translate, report=report, tell=phases)
    if verbose and done.transfer is not None:
        click.echo(_limits(done.transfer), err=True)
    return _facts(done)


def _facts(done: Flashed) -> dict[str, Any]:
    facts = asdict(done)
    if done.transfer is not None:
        facts["transfer"]["bytes_per_s"] = round(done.transfer.rate)
    return facts


def _sentence(app: Container, facts: dict[str, Any]) -> str:
    text = f"{app.manifest.name} is on {facts['board']}"
    if facts["slot"] is not None:
        text += f" in slot {facts['slot']}"
    transfer = facts["transfer"]
    if transfer is None:
        return text + ("; nothing had to be sent" if facts["slot"] is not None else "")
    rate = transfer["bytes_per_s"] / 1000
    return f"{text}: {transfer['bytes']:,} bytes sent in {transfer['seconds']:.1f} s, {rate:.1f} KB/s"


def _limits(transfer: Transfer) -> str:
    share = f"{transfer.wire_share:.0%} of the time"
    limit = f"the serial line, which was busy for {share}"
    if transfer.wire_share < 0.75:
        limit = f"the board: the serial line was busy for {share} only"
    line = f"{transfer.wire_bytes:,} bytes on the line in {transfer.framing} framing"
    trouble = f"{transfer.repetitions} requests repeated, link opened again {transfer.reopened} times"
    return f"{line}, {trouble}; the limit is {limit}"


@contextmanager
def _progress_bar(*, shown: bool) -> Iterator[Callable[[Progress], None]]:
    """On a terminal alone."""
    if not (shown and sys.stderr.isatty()):
        yield lambda progress: None
        return
    bar: Any = None

    def report(progress: Progress) -> None:
        nonlocal bar
        if bar is None:
            bar = click.progressbar(
                length=progress.total,
                label="upload",
                file=sys.stderr,
                item_show_func=lambda item: f"{item.rate / 1000:.1f} KB/s" if item else "",
            )
        bar.update(progress.sent - bar.pos, progress)

    try:
        yield report
    finally:
        if bar is not None:
            bar.render_finish()
