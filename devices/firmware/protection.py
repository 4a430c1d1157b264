"""Regions of the memory protection unit that fit a board's memory map."""

from __future__ import annotations

from dataclasses import dataclass

from container.errors import ContainerError
from devices.board import Board, Region

SUBREGIONS = 8
_SMALLEST_WITH_SUBREGIONS = 256
_SMALLEST = 32


@dataclass(frozen=True)
class Window:
    """One region: a power of two in size, aligned to it, in eight parts of which some are left out
    (ARMv7-M Architecture Reference Manual, B3.5)."""

    base: int
    size: int
    left_out: int
    """A bit for each part."""

    @property
    def covered(self) -> Region:
        """From the first part that is in to the last."""
        parts = [part for part in range(SUBREGIONS) if not self.left_out >> part & 1]
        step = self.size // SUBREGIONS
        return Region(self.base + parts[0] * step, (parts[-1] + 1 - parts[0]) * step)

    @property
    def size_bits(self) -> int:
        """The fields SIZE and SRD of the register MPU_RASR."""
        return self.left_out << 8 | (self.size.bit_length() - 2) << 1


def window(region: Region) -> Window:
    """The smallest window that covers a region."""
    size = _SMALLEST
    while region.start // size * size + size < region.end:
        size *= 2
    base = region.start // size * size
    if size < _SMALLEST_WITH_SUBREGIONS:
        return Window(base, size, 0)
    step = size // SUBREGIONS
    parts = [Region(base + part * step, step) for part in range(SUBREGIONS)]
    outside = [
        number for number, part in enumerate(parts) if part.end <= region.start or part.start >= region.end
    ]
    return Window(base, size, sum(1 << number for number in outside))


@dataclass(frozen=True)
class Protection:
    """The windows of a board."""

    slots: tuple[Window, ...]
    container_ram: Window
    agent_ram: Window
    """Lies over `container_ram`, and wins."""


def protection(board: Board) -> Protection:
    """Raises ContainerError when windows cannot keep what is not the container's from it."""
    ram, agent = board.ram.container, board.ram.agent
    if agent is None:
        raise ContainerError(f"{board.name}: a memory protection unit, but no agent that could use it")
    found = Protection(tuple(window(slot) for slot in board.flash.slots), window(ram), window(agent))
    for name, region, part in zip(("slot 0", "slot 1"), board.flash.slots, found.slots, strict=True):
        if part.covered != region:
            raise ContainerError(
                f"{board.name}: no region of the memory protection unit covers {name} exactly"
            )
    if found.agent_ram.covered != agent:
        raise ContainerError(
            f"{board.name}: no region of the memory protection unit covers the agent's RAM exactly"
        )
    rest = Region(ram.start, found.container_ram.covered.end - ram.start)
    if found.container_ram.covered.start != ram.start or (
        rest.end > ram.end and not _joined(ram, agent).holds(rest)
    ):
        raise ContainerError(f"{board.name}: more than the container's RAM would be open to it")
    return found


def _joined(first: Region, second: Region) -> Region:
    """Both as one where the second follows the first, else the first."""
    return Region(first.start, first.size + second.size) if first.end == second.start else first
