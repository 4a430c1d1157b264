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
    from container.sections import load
    from devices.connection import Place

    app = load(container)
    with Place(Path(), board=board, port=port) as place:
        done = flash(app, place, verbose=verbose)
        if place.board is not None:
            place.remember(place.board, app, container)
        if as_json:
            console.print_json({"port": place.port.device, **_facts(done)})
        else:
            console.say(_sentence(app, done))
        if monitor:
            from rune.cli.monitor import listen

            listen(place, container=container)


def flash(app: Container, place: Place, *, verbose: bool = False) -> Flashed:
    """Flash with progress on stderr.  Raises what `devices.deployment.deploy` raises."""
    from devices.deployment import deploy

    with console.Phases(shown=verbose) as phases, _progress_bar(shown=not verbose) as report:
        done = deploy(app, place, report=report, tell=phases)
    if verbose and done.transfer is not None:
        click.echo(_limits(done.transfer), err=True)
    return done


def _facts(done: Flashed) -> dict[str, Any]:
    facts = asdict(done)
    if done.transfer is not None:
        facts["transfer"]["bytes_per_s"] = round(done.transfer.rate)
    return facts


def _sentence(app: Container, done: Flashed) -> str:
    text = f"{app.manifest.name} is on {done.board}"
    if done.slot is None:
        return text
    text += f" in slot {done.slot}"
    if done.transfer is None:
        return f"{text}; nothing had to be sent"
    sent = done.transfer
    return f"{text}: {sent.bytes:,} bytes sent in {sent.seconds:.1f} s, {sent.rate / 1000:.1f} KB/s"


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
