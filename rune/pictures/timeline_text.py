"""The timeline of a memory plan in the cells of a terminal."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

from rune.pictures.characters import Characters, Paint
from rune.pictures.timeline import Box, Timeline
from rune.text import printable

ROWS = 16
"""Of the plot, in lines."""
WIDEST_STEP = 12
"""In cells: a program of a few steps needs no wide picture."""
LEAST_PLOT = 16
"""In cells: below that a picture is wider than the terminal rather than without sense."""
NAME_LINES = 6
"""Below the plot, for the names of stages."""
BLANK = (" ", None)

Cell = tuple[str, int | None]
"""A character, and the number of the stage that gives it its colour."""


def draw(picture: Timeline, columns: int, characters: Characters, paint: Paint) -> str:
    """The picture in at most so many columns, without a line break at the end."""
    return _Plot(picture, columns, characters).render(paint)


class _Plot:
    def __init__(self, picture: Timeline, columns: int, characters: Characters) -> None:
        self._picture, self._characters = picture, characters
        self._label = len(f"{picture.arena:,}")
        room = max(LEAST_PLOT, columns - self._label - 4)
        self._width = min(room, picture.steps * WIDEST_STEP)
        if self._width > picture.steps:
            self._width -= self._width % picture.steps
        self._cells: list[list[Cell]] = [[BLANK] * self._width for _ in range(ROWS)]
        self._owners: list[list[int | None]] = [[None] * self._width for _ in range(ROWS)]

    def render(self, paint: Paint) -> str:
        boxes = sorted(self._picture.boxes, key=lambda box: (-box.block.bytes, box.block.first))
        for number, box in enumerate(boxes):
            self._fill(number, box)
        for number, box in enumerate(boxes):
            self._name(number, box)
        lines = [self._axis(row) + _painted(self._cells[row], paint) for row in reversed(range(ROWS))]
        return "\n".join(line.rstrip() for line in [*lines, *self._below()])

    def _column(self, step: float) -> int:
        return int(step * self._width / self._picture.steps)

    def _rectangle(self, box: Box) -> tuple[range, range]:
        """Rows and columns: at least one of each, so that small blocks are seen too."""
        arena = max(1, self._picture.arena)
        low = min(ROWS - 1, box.block.offset * ROWS // arena)
        high = max(low + 1, round(box.block.end * ROWS / arena))
        left = min(self._width - 1, self._column(box.left))
        return range(low, high), range(left, max(left + 1, self._column(box.right)))

    def _fill(self, number: int, box: Box) -> None:
        rows, columns = self._rectangle(box)
        cell = (self._shade(rows, columns), box.stage)
        for row in rows:
            self._cells[row][columns.start : columns.stop] = [cell] * len(columns)
            self._owners[row][columns.start : columns.stop] = [number] * len(columns)
            if box.over is not None and len(columns) > 1:
                self._cells[row][columns.start] = (self._characters.seam, box.stage)

    def _shade(self, rows: range, columns: range) -> str:
        """The lightest that no neighbour has, as far as there are enough."""
        around = [(row, columns.start - 1) for row in rows] + [(row, columns.stop) for row in rows]
        around += [(rows.start - 1, column) for column in columns]
        around += [(rows.stop, column) for column in columns]
        taken = {
            self._cells[row][column][0]
            for row, column in around
            if 0 <= row < ROWS and 0 <= column < self._width
        }
        shades = self._characters.shades
        return next((shade for shade in shades if shade not in taken), shades[0])

    def _name(self, number: int, box: Box) -> None:
        """Into the middle of what is seen of the block, where that is wide enough."""
        rows, columns = self._rectangle(box)
        text = f" {printable(box.block.name)} "
        first = columns.start + (len(columns) - len(text)) // 2
        for row in sorted(rows, key=lambda row: abs(2 * row + 1 - rows.start - rows.stop)):
            seen = self._owners[row][first : first + len(text)]
            if first > columns.start and seen == [number] * len(text):
                self._cells[row][first : first + len(text)] = [(letter, None) for letter in text]
                return

    def _axis(self, row: int) -> str:
        is_top = row == ROWS - 1
        label = f"{self._picture.arena:,}" if is_top else ""
        return f"{label:>{self._label}} {self._characters.axis} "

    def _below(self) -> list[str]:
        """The base line, a mark below the peak, and the names of the stages, each where it begins."""
        characters = self._characters
        base = [characters.base] * self._width
        for step, _ in self._picture.borders:
            base[self._column(step)] = characters.tick
        indent = " " * (self._label + 3)
        lines = [f"{0:>{self._label}} {characters.corner}{characters.base}{''.join(base)}"]
        # A name begins below the border of its stage, so the mark of the peak has a line of its own.
        peak = self._column(self._picture.peak.step + 0.5)
        lines.append(indent + " " * peak + f"{characters.mark} peak")
        return lines + [indent + line for line in self._stage_names()]

    def _stage_names(self) -> list[str]:
        lines = [""] * NAME_LINES
        for step, stage in self._picture.borders:
            column, name = self._column(step), printable(stage)
            free = next((n for n, line in enumerate(lines) if not line or len(line) < column), None)
            if free is not None and column + len(name) <= max(self._width, column + 1) + self._label:
                lines[free] = lines[free].ljust(column) + name
        return [line for line in lines if line]


def _painted(cells: list[Cell], paint: Paint) -> str:
    runs = [(stage, "".join(cell[0] for cell in run)) for stage, run in groupby(cells, key=itemgetter(1))]
    return "".join(text if stage is None else paint(text, stage) for stage, text in runs)
