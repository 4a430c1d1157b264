"""The ROM loader of STM32 chips, spoken to by the program `stm32flash` (protocol: AN3155).

The ROM listens on its UART after a reset with BOOT0 high.  Only the erase units of the agent are erased, so
containers in their slots stay.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from container.errors import LinkError, PortError, UsageError
from container.programs import run_program
from devices.board import Board

PROGRAM = "stm32flash"
INSTALL = "apt install stm32flash"
BOOT0_HINT = (
    "hold the board's BOOT0 pin high and reset it, so that its ROM listens, then try again; "
    "when the agent is there, set BOOT0 low and reset once more"
)
BITS_PER_BYTE = 11
"""Start, eight of data, parity, stop."""
SLACK_S = 30.0
"""For opening, erasing (16 KiB take up to half a second) and retries."""
_MAXIMUM_MESSAGE = 200


def install_agent(board: Board, image: bytes, port: str, *, timeout_s: float | None = None) -> None:
    """Write an agent to the start of its region, read it back, and ask the ROM to start it.

    `image` are the bytes of `board.flash.agent` from its first on.  Takes at most `timeout_s` seconds, by
    default thrice what the bytes need on the wire and `SLACK_S`.  Raises UsageError when the board has
    another loader or the image no room, PortError when there is no such port, LinkError when the chip does
    not answer or keeps something else than was written, RuneError without the program.
    """
    region = board.flash.agent
    if board.loader.agent != PROGRAM or region is None:
        raise UsageError(f"{board.name}: its agent is not installed by {PROGRAM}")
    if not 0 < len(image) <= region.size:
        raise UsageError(f"{board.name}: an agent has 1 to {region.size:,} bytes, not {len(image):,}")
    if not Path(port).exists():
        raise PortError(f"{port}: there is no such port", hint="`rune ports` lists those that are there")
    with tempfile.TemporaryDirectory(prefix="rune-agent-") as folder:
        file = Path(folder) / "agent.bin"
        file.write_bytes(image)
        command = _command(board, file, region.start, len(image), port)
        _run(command, port, timeout_s or _time_limit_s(board, len(image)))


def _command(board: Board, file: Path, address: int, size: int, port: str) -> list[str]:
    # Words of two characters: `-v` reads back, `-g` starts.  The ROM has even parity; a pty has none.
    mode = "8n1" if str(Path(port).resolve()).startswith("/dev/pts/") else "8e1"
    where = f"{address:#x}"
    return [
        *(PROGRAM, "-b", str(board.uart.baud), "-m", mode),
        *("-S", f"{where}:{size}", "-w", str(file), "-v", "-g", where),
        str(Path(port).absolute()),
    ]


def _time_limit_s(board: Board, size: int) -> float:
    """Every byte goes there and comes back."""
    return SLACK_S + 3 * 2 * size * BITS_PER_BYTE / board.uart.baud


def _run(command: list[str], port: str, timeout_s: float) -> None:
    done = run_program(command, timeout_s=timeout_s, install=INSTALL)
    if done.status is None:
        message = f"{port}: the chip's loader was not done after {timeout_s:.0f} s"
        raise LinkError(message, hint=BOOT0_HINT)
    if done.status != 0:
        raise LinkError(f"{port}: {_complaint(done.stderr)}", hint=_cure(done.stderr))


def _complaint(stderr: str) -> str:
    """The last things the program said, since they are what ended it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = "; ".join(lines[-2:])[:_MAXIMUM_MESSAGE] or "it gave no reason"
    return f"the agent was not installed: {PROGRAM}: {said}"


def _cure(stderr: str) -> str:
    if "ermission denied" in stderr:
        return (
            "add yourself to the group of serial ports: `sudo usermod -aG dialout $USER`, then log in again"
        )
    return BOOT0_HINT
