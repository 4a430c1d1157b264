"""Runs the `zig` program of the `ziglang` package: its clang and its LLD.

It stands here, under both that compile: `builder` (C to WebAssembly) and `devices` (to machine code).
"""

from __future__ import annotations

import sys
from pathlib import Path

from container.errors import CompileError, RuneError
from container.programs import run_program

_SECONDS = 300


def run_zig(folder: Path, *arguments: str) -> None:
    """Runs `zig ARGUMENTS` in a folder.  Raises CompileError with its own words when it fails or hangs."""
    try:
        done = run_program([sys.executable, "-m", "ziglang", *arguments], timeout_s=_SECONDS, folder=folder)
    except RuneError as error:
        raise CompileError(f"zig: {error.message}") from None
    if done.status is None:
        raise CompileError(f"`zig {arguments[0]}` took longer than {_SECONDS} s")
    if done.status != 0:
        raise CompileError(f"`zig {arguments[0]}` failed:\n{done.stderr.strip()[:4000]}")
