"""The command line as a whole: help, usage errors, exit codes, failures of every kind."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from container import errors
from container.errors import ExitCode, RuneError
from rune.cli.application import COMMANDS, exit_code_of
from tests.rune.commands import ROOT, printed, rune
from tests.snapshots import assert_snapshot

RUNE = [sys.executable, "-c", "from rune.cli import main; main()"]


def test_help() -> None:
    assert_snapshot("cli/help.txt", printed(rune("--help")))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command(name: str) -> None:
    assert_snapshot(f"cli/help-{name}.txt", printed(rune(name, "--help")))


@pytest.mark.parametrize("name", COMMANDS)
def test_summaries_are_those_of_the_commands(name: str) -> None:
    command: click.Command = importlib.import_module(f"rune.cli.{name}").command
    assert command.short_help == COMMANDS[name]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["inpect"], "no such command 'inpect'", "did you mean `inspect`?"),
        (["frobnicate"], "no such command 'frobnicate'", "see `rune --help`"),
        (["inspect", "--jsn", "x"], "no such option '--jsn'", "did you mean `--json`?"),
        (["inspect"], "missing argument 'APP.rune'", "see `rune inspect --help`"),
        (["--nonsense"], "no such option '--nonsense'", "see `rune --help`"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, hint: str) -> None:
    result = rune(*arguments)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == f"error: {message}\nhint: {hint}\n"
    assert result.stdout == ""


def test_version_is_the_projects() -> None:
    from container import __version__

    assert rune("--version").stdout == f"rune {__version__}\n"


def all_errors() -> list[type[RuneError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [value for value in found if issubclass(value, RuneError)]


@pytest.mark.parametrize("kind", all_errors())
def test_every_error_has_its_exit_code(kind: type[RuneError], capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise kind("it broke", hint="mend it")

    assert exit_code_of(fail) == kind.exit_code
    assert capsys.readouterr().err == "error: it broke\nhint: mend it\n"


def test_an_interrupt_has_its_exit_code() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    assert exit_code_of(interrupt) == 130


def test_an_interrupt_that_a_library_makes_an_error_of(capsys: pytest.CaptureFixture[str]) -> None:
    """As TVM does, and compilers that get the signal, too."""

    def interrupt() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("something was left open") from None

    before = signal.getsignal(signal.SIGINT)
    assert exit_code_of(interrupt) == 130
    assert capsys.readouterr().err == ""
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError("too\ndeep"), MemoryError()])
def test_an_unexpected_error_is_one_line_without_traceback(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNE_DEBUG", raising=False)
    assert exit_code_of(failing(error)) == ExitCode.FAILED
    message, hint = capsys.readouterr().err.splitlines()
    assert message.startswith(f"error: internal error: {type(error).__name__}")
    assert "RUNE_DEBUG=1" in hint


def test_debugging_shows_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNE_DEBUG", "1")
    exit_code_of(failing(ValueError("deep inside")))
    assert "Traceback" in capsys.readouterr().err


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code_of(failing(RuneError("\x1b[2Jgone: cannot be read")))
    assert capsys.readouterr().err == "error: \\u001b[2Jgone: cannot be read\n"


def test_a_reader_that_has_gone_ends_a_command_without_a_word() -> None:
    read, write = os.pipe()
    os.close(read)
    status = subprocess.run([*RUNE, "--help"], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (status.returncode, status.stderr) == (ExitCode.FAILED, "")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["inspect", "--help"], ["check", "--help"], ["build", "--help"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from rune.cli.application import application\n"
        "try: application.main(sys.argv[1:], prog_name='rune')\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'tvm', 'wasmtime', 'PIL', 'onnx', 'lark', 'graphviz', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, check=True, capture_output=True)


def test_completion_knows_commands_and_options() -> None:
    environment = {
        **os.environ,
        "_RUNE_COMPLETE": "bash_complete",
        "COMP_WORDS": "rune in",
        "COMP_CWORD": "1",
    }
    result = subprocess.run(RUNE, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "plain,inspect\n"


def test_interrupt_signal_ends_a_command_with_130() -> None:
    program = (
        "import os, signal\n"
        "from rune.cli.application import exit_code_of\n"
        # Whoever runs the tests in the background may have had the signal ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "raise SystemExit(exit_code_of(lambda: os.kill(os.getpid(), signal.SIGINT)))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 128 + signal.SIGINT
    assert "Traceback" not in result.stderr
