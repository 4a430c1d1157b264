"""`rune inspect`: what is inside a container."""

from __future__ import annotations

from pathlib import Path

import click

from rune.cli import console


@click.command(short_help="Show what is inside a container.")
@click.argument("container", metavar="APP.rune", type=click.Path(path_type=Path))
@console.json_option
def command(container: Path, as_json: bool) -> None:
    """Show the pipeline, types, models, memory plan, golden vectors and tools of a container.

    \b
    rune inspect digits.rune
    rune inspect digits.rune --json | jq .manifest.tools
    """
    from container import sections
    from rune import inspection

    parts = sections.load(container)
    if as_json:
        console.print_json({"file": str(container), **inspection.facts(parts)})
    else:
        console.say(inspection.page(parts))
