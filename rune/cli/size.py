"""`rune size`: what a container takes, and whether a board has room for it."""

from __future__ import annotations

from pathlib import Path

import click

from rune.cli import console, feeding


@click.command(short_help="Show what a container takes, and whether a board has room for it.")
@feeding.container_argument
@console.json_option
def command(container: Path, as_json: bool) -> None:
    """Show what a container takes: of its file, and of memory by part and by stage.

    \b
    rune size digits.rune
    """
    from container import sections
    from rune import sizes

    parts = sections.load(container)
    if as_json:
        console.print_json({"file": str(container), **sizes.facts(parts)})
    else:
        console.say(sizes.page(parts))
