"""`--port sim`: an emulated board with its agent, as a user's board that was just plugged in."""

from __future__ import annotations

from pathlib import Path

from devices.board import Board
from devices.emulators.base import RunningEmulator, start_emulator


def start_sim(board: Board, state: Path | None) -> RunningEmulator:
    """Start it; use it as a context.  `state` keeps its flash from one time to the next.

    The agent is put into its place each time; an AVR board comes with its bootloader alone.  Raises what
    `start_emulator` raises, CompileError when the agent cannot be built.
    """
    if not board.has_agent:
        return start_emulator(board, state=state)
    from devices.firmware.build import build_agent

    return start_emulator(board, firmware=build_agent(board).image, state=state)
