"""What commands print with: facts to stdout, everything else to stderr, colour on terminals alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import click

from rune.pictures.characters import ASCII, BLOCKS, Characters
from rune.text import printable

if TYPE_CHECKING:
    from runefile.check import CheckResult
    from runefile.diagnostics import Diagnostic
    from runefile.pipeline import TypedPipeline
    from runefile.source import Source

SCHEMA = 1
"""Version of the objects that `--json` prints."""

_MARKS = re.compile(r"\b(error|warning)\[[\w-]+\]:|^(hint):", re.MULTILINE)
_MARK_COLORS = {"error": "red", "warning": "yellow", None: "cyan"}

_STAGE_COLORS = ("blue", "yellow", "green", "magenta", "cyan", "red", "bright_blue", "bright_green")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def print_json(facts: Mapping[str, Any]) -> None:
    """Print facts as the one object of `--json`."""
    click.echo(json.dumps({"schema": SCHEMA, **facts}, ensure_ascii=False, sort_keys=True))


def say(text: str) -> None:
    """Print facts for people."""
    click.echo(printable(text))


def show(picture: str) -> None:
    """Print a picture in its colours; the names in it were made `printable` when it was drawn."""
    click.echo(picture)


def columns() -> int:
    """The width of the terminal."""
    return shutil.get_terminal_size().columns


def characters() -> Characters:
    """What pictures on stdout can be made of: ASCII where its encoding cannot tell blocks."""
    try:
        BLOCKS.all.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def stage_color(text: str, stage: int) -> str:
    """A piece of a picture in the colour of a stage."""
    return click.style(text, fg=_STAGE_COLORS[stage % len(_STAGE_COLORS)])


def print_error(message: str, hint: str | None = None) -> None:
    """Print `error: ...` and, where there is one, `hint: ...` to stderr."""
    click.echo(f"{paint('error:', 'red')} {printable(message)}", err=True, color=colored(sys.stderr))
    if hint:
        click.echo(f"{paint('hint:', 'cyan')} {printable(hint)}", err=True, color=colored(sys.stderr))


def print_warning(message: str) -> None:
    """Print `warning: ...` to stderr."""
    click.echo(f"{paint('warning:', 'yellow')} {printable(message)}", err=True, color=colored(sys.stderr))


def print_diagnostics(result: Diagnosed) -> None:
    """Print what is wrong with a Runefile to stderr, a blank line between."""
    for number, diagnostic in enumerate(result.diagnostics):
        text = diagnostic.render(result.source)
        painted = _MARKS.sub(lambda match: paint(match[0], _MARK_COLORS[match[1]]), text)
        click.echo(f"\n{painted}" if number else painted, err=True, color=colored(sys.stderr))


def checked(result: CheckResult) -> TypedPipeline:
    """The pipeline, once its diagnostics are printed; ends the command where there is none."""
    print_diagnostics(result)
    if result.pipeline is None:
        raise click.exceptions.Exit(result.error().exit_code)
    return result.pipeline


def has_errors(result: Diagnosed) -> bool:
    """Whether something is wrong, and not only odd."""
    return any(diagnostic.severity == "error" for diagnostic in result.diagnostics)


def paint(text: str, color: str) -> str:
    """Text in bold colour; `click.echo` removes the colour where it does not belong."""
    return click.style(text, fg=color, bold=True)


def colored(stream: TextIO) -> bool:
    """Whether a stream takes colours: a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


class Diagnosed(Protocol):
    """What has been found out about a Runefile."""

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]: ...

    @property
    def source(self) -> Source: ...


class Phases:
    """Tells on stderr which phase a command is in and, once it is over, how long it took.

    Call it with the name of each phase as it begins; use it as a context to end the last one.
    """

    def __init__(
        self,
        *,
        shown: bool,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.seconds: dict[str, float] = {}
        """Time each phase took, in their order."""
        self._shown = shown
        self._live = shown and sys.stderr.isatty()
        self._clock = clock
        self._current = ""
        self._began = 0.0

    def __call__(self, phase: str) -> None:
        self._end()
        self._current, self._began = phase, self._clock()
        if self._live:
            click.echo(f"{phase} ...", err=True, nl=False)

    def __enter__(self) -> Phases:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._end()
        elif self._live and self._current:
            click.echo(err=True)

    def _end(self) -> None:
        if not self._current:
            return
        taken = self._clock() - self._began
        self.seconds[self._current] = self.seconds.get(self._current, 0.0) + taken
        if self._shown:
            start = "\r" if self._live else ""
            click.echo(f"{start}{self._current:<40} {taken:6.2f} s", err=True)
        self._current = ""
