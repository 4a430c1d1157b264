"""What each operator costs, as horizontal bars in an SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rune.pictures.svg import Svg, clean, shortened, stage_style, text_width

WIDTH = 960
MARGIN = 20
TOP = 66
"""Where the first row begins: below the title, a line about it, and the headers of the columns."""
ROW, BAR = 18, 12
"""Heights of a row and of the bar in it."""
BAR_LEFT, BAR_WIDTH = 230, 330
COLUMNS_RIGHT = (670, 720, 815, 940)
"""Right ends of the columns of numbers."""
LONGEST_NAME = 28
LEGEND = 16
"""Height of a line of it."""


@dataclass(frozen=True)
class Bar:
    """One operator."""

    operator: str
    stage: str
    length: float
    """What it costs, in the unit of all."""
    numbers: tuple[str, str, str, str]
    """Beside the bar: what it costs, its share of all, its multiply-accumulates, and the ratio."""


def draw(title: str, about: str, headers: tuple[str, str, str, str], bars: Sequence[Bar]) -> bytes:
    """The file: a row for each operator, in their order, each in the colour of its stage."""
    stages = {stage: number for number, stage in enumerate(dict.fromkeys(bar.stage for bar in bars))}
    below = TOP + ROW * len(bars) + 22
    legend = _legend_places(list(stages))
    height = below + LEGEND * (1 + max((row for _, row in legend), default=0))
    svg = Svg(WIDTH, height, title)
    svg.text(MARGIN, 20, title, "title")
    svg.text(MARGIN, 37, about, "faint")
    for right, header in zip(COLUMNS_RIGHT, headers, strict=True):
        svg.text(right, TOP - 6, header, "faint", anchor="end")
    longest = max((bar.length for bar in bars), default=0) or 1
    for number, bar in enumerate(bars):
        _draw_row(svg, TOP + ROW * number, number, bar, bar.length / longest, stages[bar.stage])
    svg.line(BAR_LEFT, TOP, BAR_LEFT, TOP + ROW * len(bars), "axis")
    for (stage, number), (x, row) in zip(stages.items(), legend, strict=True):
        svg.rectangle(x, below + LEGEND * row - 9, 10, 10, f"block {stage_style(number)}")
        svg.text(x + 15, below + LEGEND * row, _short(stage))
    return svg.encode()


def _draw_row(svg: Svg, y: float, number: int, bar: Bar, part: float, stage: int) -> None:
    base = y + ROW / 2 + 4
    svg.text(MARGIN + 20, base, str(number), "faint", anchor="end")
    svg.text(MARGIN + 28, base, _short(bar.operator))
    amount, share, macs, ratio = bar.numbers
    title = f"{bar.operator}, {bar.stage}: {amount} ({share})"
    svg.rectangle(BAR_LEFT, y + (ROW - BAR) / 2, part * BAR_WIDTH, BAR, f"block {stage_style(stage)}", title)
    for right, text in zip(COLUMNS_RIGHT, (amount, share, macs, ratio), strict=True):
        svg.text(right, base, text, anchor="end")


def _legend_places(stages: Sequence[str]) -> list[tuple[float, int]]:
    """For each stage its place from the left, and the line of the legend."""
    places, x, row = [], float(BAR_LEFT), 0
    for stage in stages:
        width = 29 + text_width(_short(stage))
        if x > BAR_LEFT and x + width > WIDTH:
            x, row = float(BAR_LEFT), row + 1
        places.append((x, row))
        x += width
    return places


def _short(name: str) -> str:
    return shortened(clean(name), LONGEST_NAME)
