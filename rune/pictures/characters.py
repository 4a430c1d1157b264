"""The characters that pictures in a terminal are made of: blocks, or ASCII where its encoding has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Paint: TypeAlias = Callable[[str, int], str]
"""Gives a piece of a picture the colour of a stage, told by the number of the stage."""


@dataclass(frozen=True)
class Characters:
    """One way to draw."""

    shades: str
    """To tell neighbours apart."""
    eighths: str
    """The ends of a bar, from the shortest to a full cell."""
    seam: str
    """Where a result begins on the bytes of what it was computed from."""
    axis: str
    corner: str
    base: str
    tick: str
    mark: str
    """Points up at a step."""

    @property
    def all(self) -> str:
        """Every character that a terminal must be able to show."""
        ends = self.axis + self.corner + self.base + self.tick
        return self.shades + self.eighths + self.seam + ends + self.mark


BLOCKS = Characters("░▒▓█", "▏▎▍▌▋▊▉█", "»", "┤", "└", "─", "┴", "^")
ASCII = Characters(".:+#", "#", ">", "|", "+", "-", "+", "^")


def bar(part: float, width: int, characters: Characters) -> str:
    """A bar of `part` (0..1) of a width in cells; something of it is seen of every part above 0."""
    steps = len(characters.eighths)
    full, rest = divmod(round(min(max(part, 0.0), 1.0) * width * steps), steps)
    if part > 0 and not full and not rest:
        rest = 1
    return characters.eighths[-1] * full + (characters.eighths[rest - 1] if rest else "")


def plain(text: str, stage: int) -> str:
    """No colour."""
    return text
