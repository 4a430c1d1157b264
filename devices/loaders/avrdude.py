"""The bootloaders of Arduino boards with an AVR, spoken to by the program `avrdude`.

avrdude resets the board by the modem line DTR, writes page by page, and reads everything back.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from container.errors import LinkError, PortError, RuneError, UsageError
from container.programs import run_program
from container.sections import Container
from devices.avr.build import AvrBuild, build_avr_image
from devices.avr.stream import BootedStream
from devices.board import Board
from devices.flash import check_board
from devices.link import agent
from devices.link.messages import Phase
from devices.link.session import Session

PROGRAM = "avrdude"
INSTALL = "apt install avrdude"
ATTEMPTS = 3
"""How often avrdude resets an Uno and asks for its bootloader; one attempt takes 6 s."""
SLACK_S = 40.0
"""For a bootloader that does not answer: avrdude gives up on stk500v2 after 31 s."""
BITS_PER_BYTE = 10
_MAXIMUM_MESSAGE = 200
_SILENT = ("not responding", "not in sync", "timeout", "getsync")
_SILENCE_HINT = (
    "is it the right port and the right board? Press the board's reset button and try again at once; "
    "a board without its bootloader needs a programmer"
)
_GROUP_HINT = "add yourself to the group of serial ports: `sudo usermod -aG dialout $USER`, then log in again"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class FlashedAvr:
    """What a board has now."""

    board: str
    build: AvrBuild
    container_sha256: str
    looping: bool
    """Whether the board runs it by itself: all its sensors are the chip's own."""


def flash_avr(container: Container, board: Board, port: str, tell: Tell = lambda phase: None) -> FlashedAvr:
    """Build a container's image, write it through the bootloader, and hear from it that it runs.

    `tell` is told each phase as it begins.  Raises what `build_avr_image` and `write_image` raise, and
    LinkError when the runtime does not answer, or names another container.
    """
    tell("translate")
    build = build_avr_image(container, board)
    tell("upload")
    write_image(board, build.hex, port)
    tell("start")
    with Session(lambda: BootedStream(port, board.uart.baud), baud=board.uart.baud) as session:
        check_board(session.facts, board)
        found = session.facts.container
        looping = agent.control(session).st is Phase.LOOPS
    if found is None or found.hex() != container.digest:
        raise LinkError("the board does not run the container that was written")
    return FlashedAvr(board.name, build, container.digest, looping)


def write_image(board: Board, image: str, port: str, *, timeout_s: float | None = None) -> None:
    """Write an Intel HEX text to a board's flash and read it back.

    Takes at most `timeout_s` seconds, by default thrice what the bytes need on the wire and `SLACK_S`.
    Raises UsageError when the board has another loader, PortError when the port cannot be opened, LinkError
    when the bootloader does not answer, is another chip's or keeps something else, RuneError without the
    program.
    """
    if board.loader.container != PROGRAM:
        raise UsageError(f"{board.name}: its containers do not come through {PROGRAM}")
    if not Path(port).exists():
        raise PortError(f"{port}: there is no such port", hint="`rune ports` lists those that are there")
    with tempfile.TemporaryDirectory(prefix="rune-avr-") as folder:
        file = Path(folder) / "image.hex"
        file.write_text(image)
        _run(_command(board, file, port), port, timeout_s or _time_limit_s(board, len(image)))


def _command(board: Board, file: Path, port: str) -> list[str]:
    attempts = ["-x", f"attempts={ATTEMPTS}"] if board.loader.programmer == "arduino" else []
    return [
        # Twice quiet: errors alone.  `-D`: the bootloader erases each page before it writes it.
        *(PROGRAM, "-q", "-q", "-D", "-p", board.cpu.model, "-c", board.loader.programmer, *attempts),
        *("-b", str(board.uart.baud), "-P", str(Path(port).absolute()), "-U", f"flash:w:{file}:i"),
    ]


def _time_limit_s(board: Board, characters: int) -> float:
    """Two characters of hexadecimal are a byte, which goes there and comes back."""
    return SLACK_S + 3 * characters * BITS_PER_BYTE / board.uart.baud


def _run(command: list[str], port: str, timeout_s: float) -> None:
    done = run_program(command, timeout_s=timeout_s, install=INSTALL)
    if done.status is None:
        message = f"{port}: the bootloader was not done after {timeout_s:.0f} s"
        raise LinkError(message, hint=_SILENCE_HINT)
    if done.status != 0:
        raise _failure(port, done.stderr)


def _failure(port: str, stderr: str) -> RuneError:
    """What avrdude's words mean, and what helps."""
    words = _words(stderr)
    said = "; ".join(words[-2:])[:_MAXIMUM_MESSAGE] or "it gave no reason"
    refused = re.search(r"cannot (?:open|set attributes for) port .*?: (.*)", stderr)
    if refused:
        hint = (
            _GROUP_HINT if "ermission" in refused[1] else "close what uses the port; `rune ports` lists all"
        )
        return PortError(f"{port}: cannot be opened: {refused[1].strip()}", hint=hint)
    if any(word in stderr for word in _SILENT):
        return LinkError(f"{port}: no bootloader answers: {PROGRAM}: {said}", hint=_SILENCE_HINT)
    if "xpected signature" in stderr:
        return LinkError(
            f"{port}: another chip answers: {said}", hint="choose the board that is there: --board"
        )
    return LinkError(
        f"{port}: the image was not written: {PROGRAM}: {said}", hint="try again, with another cable"
    )


def _words(stderr: str) -> list[str]:
    """What it said, line by line, without the modem lines that a pseudo-terminal has not."""
    head = re.compile(rf"^{PROGRAM} (?:OS )?(?:error|warning): ")
    lines = [head.sub("", line.strip()) for line in stderr.splitlines()]
    return [line for line in lines if line and "TIOCM" not in line]
