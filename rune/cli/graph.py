"""`rune graph`: a picture of a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from container.manifest import StageRecord
from rune.cli import console, feeding


@click.command(short_help="Draw the pipeline of a container or a Runefile.")
@click.argument("pipeline", metavar="APP.rune|RUNEFILE", type=feeding.FILE)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=feeding.FILE,
    help="Write a .svg or .dot file; without it, DOT goes to stdout.",
)
def command(pipeline: Path, output: Path | None) -> None:
    """Draw the stages of a container or a Runefile, and the types between them.

    \b
    rune graph digits.rune -o digits.svg
    rune graph Runefile | dot -Tpng > pipeline.png
    """
    from rune import graph

    name, stages = _pipeline(pipeline)
    if output is None:
        console.say(graph.dot(name, stages).rstrip("\n"))
    else:
        graph.draw(name, stages, output)


def _pipeline(path: Path) -> tuple[str, Sequence[StageRecord]]:
    """The name and the stages in a container or, where the file is none, in a Runefile."""
    from container import sections
    from rune import api

    if path.is_file() and path.suffix == ".rune":
        manifest = sections.load(path).manifest
        return manifest.name, manifest.stages
    pipeline = console.checked(api.diagnose(path))
    return pipeline.name, pipeline.stages
