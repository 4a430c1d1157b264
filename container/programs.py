"""Programs that the tools call: run within bounds, and missing ones are named with the cure."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from container.errors import RuneError


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    status: int | None
    """Its exit status, negative for a signal; None where it was ended because it took too long."""
    stdout: str
    stderr: str


def run_program(
    command: Sequence[str], *, timeout_s: float, folder: Path | None = None, install: str | None = None
) -> Ended:
    """Run a program in a folder, without input and in no language but C's, and wait for its end.

    Raises RuneError when it cannot be started; `install` is the hint then.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return Ended(None, _text(late.stdout), _text(late.stderr))
    except FileNotFoundError:
        raise RuneError(f"the program `{command[0]}` is not installed", hint=install) from None
    except OSError as error:
        raise RuneError(f"`{command[0]}` cannot be run: {error.strerror}", hint=install) from None
    return Ended(done.returncode, _text(done.stdout), _text(done.stderr))


def _text(output: bytes | None) -> str:
    return (output or b"").decode("utf-8", "replace")
