"""Calls commands in-process and normalises what they print."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from rune.cli.application import application

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def rune(*arguments: str | Path | int, **environment: str) -> Result:
    """Run `rune` with these arguments, on a terminal of 100 columns without colours."""
    runner = CliRunner(env={"NO_COLOR": "1", **environment})
    return runner.invoke(application, list(map(str, arguments)), prog_name="rune", terminal_width=100)


def printed(result: Result, **replaced: str | Path) -> str:
    """Exit code, stdout and stderr as one text; each value in `replaced` is shown as its name."""
    text = f"exit code {result.exit_code}\n--- stdout\n{result.stdout}--- stderr\n{result.stderr}"
    for name, value in replaced.items():
        text = text.replace(str(value), f"<{name}>")
    return text
