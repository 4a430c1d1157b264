"""`python -m devices.emulators BOARD`: prints `port: PATH`, then runs until a signal or the end of stdin."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from container.errors import RuneError
from container.files import read_bounded
from devices import board
from devices.emulators import base, process

_FIRMWARE_BYTES = 1 << 24


def main() -> int:
    """Returns the exit status; errors are told on stderr as `error: ...` and `hint: ...`."""
    options = _parser().parse_args()
    try:
        firmware = read_bounded(options.firmware, _FIRMWARE_BYTES) if options.firmware else None
        settings = base.Settings(
            board.find(options.board), firmware, options.state, count_instructions=options.count_instructions
        )
        process.run(settings, baud_limit=options.baud_limit, started=_print_port, watch_stdin=True)
    except RuneError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        sys.stderr.write(f"error: {error.message}{hint}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devices.emulators", description="Run an emulated board.")
    parser.add_argument("board", metavar="BOARD")
    parser.add_argument("--firmware", type=Path, metavar="FILE", help="binary for the start of the flash")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keeps the flash")
    parser.add_argument("--baud-limit", action="store_true", help="be as slow as a cable")
    parser.add_argument(
        "--count-instructions", action="store_true", help="QEMU: one instruction, one nanosecond"
    )
    return parser


def _print_port(port: Path) -> None:
    sys.stdout.write(f"port: {port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
