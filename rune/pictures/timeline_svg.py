"""The timeline of a memory plan as an SVG file."""

from __future__ import annotations

from collections.abc import Iterator

from rune.pictures.svg import Svg, clean, stage_style, text_width
from rune.pictures.timeline import Box, Timeline

WIDTH = 960
LEFT, RIGHT, TOP, PLOT_HEIGHT = 76, 24, 58, 400
"""Margins around the plot, and its height."""
PLOT_WIDTH = WIDTH - LEFT - RIGHT
LINE = 16
"""Of text, and of the legend."""
WIDEST_STEP = 120
"""A program of a few steps needs no wide picture."""
LEAST_LABEL_HEIGHT = 11
"""Of a block that its name is written into."""
LEAST_TICK = 26
"""Between the numbers of steps."""
ADDRESS_TICKS = 8
"""At most."""


def draw(picture: Timeline, name: str) -> bytes:
    """The file.  `name` is the container's."""
    return _Drawing(picture, name).encode()


class _Drawing:
    def __init__(self, picture: Timeline, name: str) -> None:
        self._picture = picture
        self._step = min(WIDEST_STEP, PLOT_WIDTH / picture.steps)
        self._right = LEFT + self._step * picture.steps
        self._bottom = TOP + PLOT_HEIGHT
        legend = list(_rows_of(self._legend()))
        height = self._bottom + 3.4 * LINE + LINE * len(legend)
        title = f"Memory of {clean(name)}, profile {picture.profile}"
        self._svg = Svg(WIDTH, height, title)
        self._svg.text(LEFT, 20, title, "title")
        self._svg.text(LEFT, 37, f"Activations: {picture.summary}.", "faint")
        self._draw_axes()
        for box in sorted(picture.boxes, key=lambda box: (-box.block.bytes, box.block.first)):
            self._draw_block(box)
        self._draw_borders()
        self._draw_peak()
        for number, row in enumerate(legend):
            self._draw_legend(row, self._bottom + 3.4 * LINE + LINE * number)

    def encode(self) -> bytes:
        return self._svg.encode()

    def _x(self, step: float) -> float:
        return LEFT + step * self._step

    def _y(self, address: float) -> float:
        return self._bottom - address * PLOT_HEIGHT / max(1, self._picture.arena)

    def _draw_axes(self) -> None:
        for address in _ticks(self._picture.arena, ADDRESS_TICKS):
            self._svg.line(LEFT, self._y(address), self._right, self._y(address), "grid")
            self._svg.text(LEFT - 6, self._y(address) + 4, f"{address:,}", "faint", anchor="end")
        for step in range(0, self._picture.steps, _stride(LEAST_TICK / self._step)):
            self._svg.text(
                self._x(step + 0.5), self._bottom + 0.9 * LINE, str(step), "faint", anchor="middle"
            )
        self._svg.text(self._x(0), self._bottom + 1.9 * LINE, "steps of one inference", "faint")
        self._svg.text(14, self._bottom, "address in the arena, bytes", "faint", upright=True)

    def _draw_peak(self) -> None:
        """A frame around the step, and the height that it needs as a line."""
        peak = self._picture.peak
        top = self._y(peak.bytes)
        title = f"peak: {self._picture.summary}"
        self._svg.rectangle(self._x(peak.step), TOP, self._step, PLOT_HEIGHT, "limit")
        self._svg.line(LEFT, top, self._right, top, "limit", title)
        text = f"peak: {peak.bytes:,} bytes, {self._picture.peak_operator}"
        at_left = self._x(peak.step) + text_width(text) < WIDTH
        place = self._x(peak.step) if at_left else self._x(peak.step + 1)
        self._svg.text(place, TOP - 7, text, "peak", anchor="start" if at_left else "end")

    def _draw_block(self, box: Box) -> None:
        block = box.block
        x, width = self._x(box.left), (box.right - box.left) * self._step
        y, height = self._y(block.end), self._y(block.offset) - self._y(block.end)
        style = f"block {stage_style(box.stage)}" + (" workspace" if block.is_workspace else "")
        self._svg.rectangle(x, y, width, height, style, _description(box))
        if box.over is not None:
            shared = min(block.end, box.over.end), max(block.offset, box.over.offset)
            title = f"{block.name} is computed in the place of {box.over.name}"
            self._svg.line(x, self._y(shared[0]), x, self._y(shared[1]), "seam", title)
        self._label(block.name, x, y, width, height)

    def _label(self, name: str, x: float, y: float, width: float, height: float) -> None:
        """The name inside of a rectangle, along it or upright, where it fits at all."""
        text = clean(name)
        along, across = width - 6, height - 6
        if text_width(text) <= along and height >= LEAST_LABEL_HEIGHT:
            self._svg.text(x + width / 2, y + height / 2 + 4, text, "upon", anchor="middle")
        elif text_width(text) <= across and width >= LEAST_LABEL_HEIGHT:
            self._svg.text(x + width / 2 + 4, y + height / 2, text, "upon", anchor="middle", upright=True)

    def _draw_borders(self) -> None:
        for step, stage in self._picture.borders:
            if step:
                self._svg.line(
                    self._x(step), TOP, self._x(step), self._bottom + 4, "border", f"{stage} begins"
                )
        self._svg.line(LEFT, self._bottom, self._right, self._bottom, "axis")
        self._svg.line(LEFT, TOP, LEFT, self._bottom, "axis")

    def _legend(self) -> list[tuple[str, str]]:
        """Styles, and what they stand for."""
        entries = [(f"block {stage_style(n)}", clean(s, 60)) for n, s in enumerate(self._picture.stages)]
        if any(box.block.is_workspace for box in self._picture.boxes):
            entries.append((f"block {stage_style(0)} workspace", "workspace of one step"))
        if any(box.over for box in self._picture.boxes):
            entries.append(("seam", "computed in the place of what is read"))
        return entries

    def _draw_legend(self, row: list[tuple[float, str, str]], y: float) -> None:
        for x, style, text in row:
            if style == "seam":
                self._svg.line(x + 5, y - 10, x + 5, y, style)
            else:
                self._svg.rectangle(x, y - 9, 10, 10, style)
            self._svg.text(x + 15, y, text)


def _description(box: Box) -> str:
    block = box.block
    steps = f"step {block.first}" if block.is_workspace else f"steps {block.first} to {block.last}"
    text = f"{block.name}, {block.stage}: {block.bytes:,} bytes at {block.offset:,}, {steps}"
    return text if box.over is None else f"{text}, in the place of {box.over.name}"


def _rows_of(entries: list[tuple[str, str]]) -> Iterator[list[tuple[float, str, str]]]:
    """Entries of a legend as lines, each with its place from the left."""
    row: list[tuple[float, str, str]] = []
    x = float(LEFT)
    for style, text in entries:
        width = 15 + text_width(text) + 14
        if row and x + width > WIDTH - RIGHT:
            yield row
            row, x = [], float(LEFT)
        row.append((x, style, text))
        x += width
    yield row


def _ticks(highest: int, count: int) -> range:
    """Round numbers from 0 up."""
    return range(0, highest + 1, _stride(highest / count))


def _stride(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50... that is not below `least`."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power >= least:
                return factor * power
        power *= 10
