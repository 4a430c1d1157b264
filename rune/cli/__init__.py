"""The command line: a file per command, each of which parses, calls the library and prints.

Facts go to stdout, progress and diagnostics to stderr.  Nothing is imported before the command that needs it.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command in `sys.argv` and exit with its status."""
    # NumPy's linear algebra would start a thread for each core, which takes long and serves no command.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        # Whoever reads a pipe sees each line at once; a path that is no UTF-8 can still be printed.
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    from rune.cli.application import application

    application.main(prog_name="rune")
