"""`rune fmt`: Runefiles in their canonical form."""

from __future__ import annotations

from pathlib import Path

import click

from container.errors import ExitCode
from rune.cli import console, feeding


@click.command(short_help="Write a Runefile in its canonical form, or convert it.")
@feeding.runefile_argument
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 when the file is not canonical.")
@click.option("--to", type=click.Choice(["text", "yaml"]), help="Print it in this form instead.")
def command(runefile: Path, check: bool, to: str | None) -> int:
    """Rewrite a Runefile in its canonical form; comments are kept.

    With --to the file stays as it is, and the other form goes to stdout.

    \b
    rune fmt Runefile
    rune fmt Runefile.yml --to text > Runefile
    """
    from container.files import write_atomically
    from rune import api
    from runefile import Form, format, parse

    path = api.locate(runefile)
    parsed = parse(path)
    console.print_diagnostics(parsed)
    if parsed.document is None or console.has_errors(parsed):
        return ExitCode.RUNEFILE
    text = format(parsed.document, Form(to) if to else parsed.form)
    if to:
        click.echo(text, nl=False)
        return ExitCode.OK
    if path.read_bytes() == text.encode():
        return ExitCode.OK
    if check:
        console.print_error(f"{path}: is not in its canonical form", f"`rune fmt {path}` writes it")
        return ExitCode.FAILED
    write_atomically(path, text.encode())
    return ExitCode.OK
