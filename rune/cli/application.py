"""The group of all commands: finds one by name, and turns every failure into a message and an exit code."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import click

from container import __version__
from container.errors import ExitCode, RuneError
from rune.cli import console

COMMANDS = {
    "check": "Check a Runefile; nothing is built.",
    "fmt": "Write a Runefile in its canonical form, or convert it.",
    "build": "Compile a Runefile into a container.",
    "tune": "Search for faster kernels of boards, by counted instructions.",
    "run": "Run a container on this machine, or on a board.",
    "inspect": "Show what is inside a container.",
    "graph": "Draw the pipeline of a container or a Runefile.",
    "verify": "Run a container's golden vectors and compare every bit.",
    "size": "Show what a container takes, and whether a board has room for it.",
    "bench": "Measure the latency of a container, or its instructions on a board.",
    "diff": "Find the first layer of a model that differs from a reference.",
    "simulate": "Run an emulated board on a serial port of its own.",
    "flash": "Put a container on a board and start it.",
    "monitor": "Show what a board says.",
    "boards": "List the boards that are known.",
    "ports": "List the serial ports that are seen.",
    "export": "Write what a board executes to a file.",
    "agent": "Build the agent of a board; install it, or write it to a file.",
    "doctor": "Check the tools that Rune uses.",
}
"""Every command, in the order of `rune --help`, and its summary: enough to print it without importing any."""

REPORT_HINT = "this is a fault of Rune, not yours; please report it with what RUNE_DEBUG=1 shows"


class Application(click.Group):
    """`rune`: imports the module of a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"rune.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run a command and exit; takes what `click.Group.main` takes."""
        color = False if os.environ.get("NO_COLOR") else None
        extra = {"color": color, **extra, "standalone_mode": False}
        sys.exit(exit_code_of(lambda: super(Application, self).main(*args, **extra)))


def exit_code_of(action: Callable[[], Any]) -> int:
    """Run a command; whatever it raises becomes a message on stderr and one of our exit codes."""
    with _noted_interrupts() as interrupts:
        try:
            return int(action() or ExitCode.OK)
        except (click.Abort, KeyboardInterrupt):
            return ExitCode.INTERRUPTED
        except Exception as error:
            return ExitCode.INTERRUPTED if interrupts else _explained(error)


@contextmanager
def _noted_interrupts() -> Iterator[list[int]]:
    """The signals of Ctrl-C until now: libraries and programs that get one fail in ways of their own."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield noted
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _explained(error: Exception) -> int:
    if isinstance(error, RuneError):
        console.print_error(error.message, error.hint)
        return error.exit_code
    if isinstance(error, click.ClickException):
        return _usage_error(error)
    return _internal_error(error)


def _usage_error(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    near = getattr(error, "possibilities", None)
    context = getattr(error, "ctx", None)
    manual = f"see `{context.command_path if context else 'rune'} --help`"
    hint = f"did you mean {' or '.join(f'`{name}`' for name in sorted(near))}?" if near else manual
    message = error.message if near else error.format_message()
    console.print_error(message[:1].lower() + message[1:].rstrip("."), hint)
    return ExitCode.USAGE


def _internal_error(error: Exception) -> int:
    import traceback

    if os.environ.get("RUNE_DEBUG"):
        traceback.print_exception(error)
    summary = " ".join(traceback.format_exception_only(error)[-1].split())
    console.print_error(f"internal error: {summary[:200]}", REPORT_HINT)
    return ExitCode.FAILED


@click.group(
    cls=Application, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def application() -> None:
    """Compile a pipeline of sensors, proc blocks and models into one sealed container, and run it.

    Exit codes: 0 ok; 1 failed; 2 usage; 3 the Runefile is wrong; 4 the model cannot be compiled; 5 the
    container is invalid; 6 the container trapped or ran over a limit; 7 no, or several, matching ports; 8 the
    link or the board failed; 9 verification failed; 10 it does not fit the board; 130 interrupted.
    """
