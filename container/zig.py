"""Runs the `zig` program of the `ziglang` package: its clang and its LLD.

It stands here, under both that compile: `builder` (C to WebAssembly) and `devices` (to machine code).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from container.errors import CompileError

_SECONDS = 300


def run_zig(folder: Path, *arguments: str) -> None:
    """Runs `zig ARGUMENTS` in a folder.  Raises CompileError with its own words when it fails or hangs."""
    command = [sys.executable, "-m", "ziglang", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as fault:
        raise CompileError(f"`zig {arguments[0]}` took longer than {_SECONDS} s") from fault
    except OSError as fault:
        raise CompileError(f"zig cannot be run by {sys.executable}: {fault.strerror}") from None
    if done.returncode != 0:
        raise CompileError(f"`zig {arguments[0]}` failed:\n{done.stderr.strip()[:4000]}")
