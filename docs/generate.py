"""Writes what of the documents is made from code: `python -m docs.generate`, or `python3 tasks.py docs`."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path

import click

from builder.blocks.base import Block
from builder.catalog import CATALOG
from container.abi import Profile
from container.sections import load
from docs.operator_table import operators
from rune.api import build
from rune.cli.application import COMMANDS, application
from rune.pictures import timeline_svg
from rune.pictures.timeline import timeline
from runefile.signatures import Parameter

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
NOTICE = "<!-- Made by docs/generate.py: do not edit. -->"
INTRODUCTION = """\
The blocks that come with Rune. In a name, `-` and `_` mean the same. Where the Runefile leaves an output
type to be inferred, the block derives it from what flows in, its arguments and what the next stage expects.
[proc-blocks.md](proc-blocks.md) shows how to write one of your own.\
"""
WIDTH = 100
"""Columns of the help texts."""


def commands() -> str:
    """The page with the help of every command."""
    # The settings are those of a real call; click keeps what the first call of a command made of them.
    settings = {**application.context_settings, "terminal_width": WIDTH}
    context = click.Context(application, info_name="rune", **settings)
    parts = ["# Commands", NOTICE, _help(context)]
    for name in COMMANDS:
        command = application.get_command(context, name)
        assert command is not None
        parts += [f"## rune {name}", _help(click.Context(command, context, name))]
    return "\n\n".join(parts) + "\n"


def proc_blocks() -> str:
    """The page with every built-in proc block and its arguments."""
    parts = ["# Proc blocks", NOTICE, INTRODUCTION]
    for name in CATALOG.names():
        block = CATALOG.find(name)
        assert block is not None
        parts.append(_block(block))
    return "\n\n".join(parts) + "\n"


def _help(context: click.Context) -> str:
    return f"```text\n{context.get_help().rstrip()}\n```"


def _block(block: Block) -> str:
    lines = [f"## {block.name}", "", inspect.getdoc(block) or block.summary]
    if block.example:
        lines += ["", f"```text\n{block.example}\n```"]
    if block.parameters:
        lines += ["", "| argument | takes | means |", "|---|---|---|"]
        lines += [_parameter(parameter) for parameter in block.parameters]
    return "\n".join(lines)


def _parameter(parameter: Parameter) -> str:
    names = ", ".join(f"`--{name}`" for name in (parameter.name, *parameter.aliases))
    takes = " or ".join(f"`{choice}`" for choice in parameter.choices) or parameter.kind.value
    if parameter.required:
        takes += ", required"
    elif parameter.default is not None:
        takes += f", default {parameter.default}"
    return f"| {names} | {takes} | {parameter.summary} |"


def operator_page() -> str:
    """The page with every operator and the dtypes that it takes."""
    return "\n\n".join(["# Operators", NOTICE, operators()])


def memory_picture() -> str:
    """The memory of an example as an SVG file."""
    with tempfile.TemporaryDirectory() as folder:
        file = build(
            ROOT / "examples" / "digits", Path(folder) / "digits.rune", profiles=["mcu"], golden_samples=0
        )
        manifest = load(file).manifest
    return timeline_svg.draw(timeline(Profile.MCU, manifest.plans[Profile.MCU]), manifest.name).decode()


PAGES = {
    "commands.md": commands,
    "memory.svg": memory_picture,
    "operators.md": operator_page,
    "proc-block-reference.md": proc_blocks,
}
"""Each file that is made, and what makes it."""


def main() -> None:
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make())


if __name__ == "__main__":
    main()
