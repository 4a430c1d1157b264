"""The agent of a board: as a file, or installed through the board's own loader."""

from __future__ import annotations

from container.errors import UsageError
from devices import hexfile
from devices.board import Board, Region
from devices.firmware.build import Agent
from devices.loaders import stm32flash

SUFFIXES = (".bin", ".hex", ".elf")
"""What an agent is written to: its bytes alone, with their addresses, or with symbols for a debugger."""


def encode(agent: Agent, board: Board, suffix: str) -> bytes:
    """An agent as a file with this suffix.  Raises UsageError for any other."""
    if suffix == ".bin":
        return agent.image
    if suffix == ".hex":
        return hexfile.encode(agent.image, agent_region(board).start)
    if suffix == ".elf":
        return agent.linked
    raise UsageError(f"an agent is no {suffix or 'file without a suffix'}", hint="name it .bin, .hex or .elf")


def agent_region(board: Board) -> Region:
    """Where the agent lies in flash.  Raises UsageError for a board without one."""
    if board.flash.agent is None:
        raise UsageError(
            f"{board.name} has no agent: a container is its whole image",
            hint=f"rune flash APP.rune --board {board.name}",
        )
    return board.flash.agent


def check_installable(board: Board) -> None:
    """Raises UsageError, which says what to do instead, where a serial port does not lead to a loader."""
    agent_region(board)
    if board.loader.agent == stm32flash.PROGRAM:
        return
    raise UsageError(
        f"{board.name} has no loader that takes an agent over a serial port",
        hint=f"rune agent --board {board.name} -o agent.hex, then {_by_probe(board)}",
    )


def _by_probe(board: Board) -> str:
    command = board.loader.probe.replace("{file}", "agent.hex")
    if command:
        return f"with a debug probe: {command}"
    return "write the file with the board's own tool; `rune simulate` starts an emulated board that has it"


def install(agent: Agent, board: Board, port: str) -> None:
    """Put an agent on the board at a port.

    Raises UsageError where that is not possible, PortError when there is no such port, LinkError when the
    board's loader does not answer or keeps something else.
    """
    check_installable(board)
    stm32flash.install_agent(board, agent.image, port)
