"""`rune tune`: a search for the blocks with which a pipeline takes the fewest instructions on a board."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.blocking.cost import CANDIDATES
from container.errors import ExitCode
from rune import api
from rune.cli import console, feeding
from rune.text import table

if TYPE_CHECKING:
    from builder.blocking.search import Step
    from builder.blocking.tuned import Tuning
    from devices.board import Board


@click.command(short_help="Search for faster kernels of boards, by counted instructions.")
@feeding.runefile_argument
@feeding.board_option("An emulated board whose instructions are counted.", required=True)
@click.option(
    "-o",
    "--output",
    metavar="FILE.json",
    type=feeding.FILE,
    default=Path("blockings.json"),
    show_default=True,
    help="What is found, for `rune build --blockings`.",
)
@feeding.optimize_option
@click.option(
    "--candidates",
    metavar="N",
    type=click.IntRange(min=1, max=100),
    default=CANDIDATES,
    show_default=True,
    help="How many choices to try for each layer.",
)
@click.option("--for", "for_s", metavar="TIME", type=feeding.Duration(), help="End after a time: 30s, 10m.")
@console.json_option
def command(
    runefile: Path,
    board: Board,
    output: Path,
    optimize: str,
    candidates: int,
    for_s: float | None,
    as_json: bool,
) -> None:
    """Search for the blocks of sums that kernels of boards compute at a time.

    `rune build` chooses them by a model of what they cost. Here the pipeline is built with one choice after
    the other, its instructions are counted on an emulated board, and what saves some is kept: a file that
    gives the same container wherever it is built. What was counted is not counted again: a search that was
    interrupted goes on where it was.

    \b
    rune tune examples/digits --board mps2-an386 -o digits.json
    rune build examples/digits --blockings digits.json
    """
    from rune.tuning import tune

    pipeline = console.checked(api.diagnose(api.locate(runefile)))
    progress = _Progress()
    try:
        tuning = tune(
            pipeline,
            board,
            output,
            optimize=optimize,
            candidates=candidates,
            limit_s=math.inf if for_s is None else for_s,
            progress=progress,
        )
    except KeyboardInterrupt:
        progress.end()
        console.print_warning("interrupted; the same command goes on with what has not been counted yet")
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None
    progress.end()
    if as_json:
        console.print_json({"file": str(output), "tuning": json.loads(tuning.to_json())})
    else:
        console.say(_page(tuning, output))


class _Progress:
    """A line on stderr: on a terminal always the same one."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def __call__(self, step: Step) -> None:
        text = f"{step.number} of {step.steps}: {step.instructions:,} instructions"
        click.echo(f"\r\x1b[K{text}" if self._live else text, err=True, nl=not self._live)

    def end(self) -> None:
        if self._live:
            click.echo(err=True)


def _page(tuning: Tuning, output: Path) -> str:
    """What was found, layer by layer, without a line break at the end."""
    rows = [[str(entry.layer), str(entry.choice), f"{entry.saved:,}"] for _, entry in tuning.entries()]
    found = table([["layer", "block", "instructions saved"], *rows], right=(2,))
    share = 1 - tuning.instructions / tuning.untuned if tuning.untuned else 0.0
    return (
        f"{tuning.instructions:,} instructions an inference on {tuning.board}, {share:.1%} less than the "
        f"{tuning.untuned:,} without a search\n\n{found}\n\nfor `rune build --blockings {output}`"
    )
