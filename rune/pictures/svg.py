"""An SVG file, drawn by rectangles, lines and texts.

The look is in one style sheet of plain classes, which every viewer and converter knows; on a dark page the
media query in it takes over, and what does not know that shows the light one.  Names come from files of
others: the writer of the standard library escapes them, and `clean` takes out what is not to be seen.
"""

from __future__ import annotations

from typing import Literal, TypeAlias
from xml.etree import ElementTree

from rune.text import printable

STAGE_COLORS = ("#77aadd", "#ee8866", "#eedd88", "#bbcc33", "#ffaabb", "#44bb99", "#99ddff", "#aaaa00")
"""Told apart by people who see few colours, and with dark letters upon them: the scheme "light" of Paul Tol,
"Colour schemes", SRON/EPS/TN/09-002, issue 3.2, 2021."""
FONT_SIZE = 11
"""Of all text but titles, in pixels."""
CHARACTER_WIDTH = 6.3
"""Of the font, on average, in pixels: a bit more than it takes, so that what is found to fit does."""
LONGEST_TITLE = 200
"""Characters that are shown of a name on hover."""

Anchor: TypeAlias = Literal["start", "middle", "end"]

_STYLE = f"""\
text {{ font: {FONT_SIZE}px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #222222 }}
.paper {{ fill: #ffffff }}
.title {{ font-size: 14px; font-weight: bold }}
.faint {{ fill: #666666 }}
.upon {{ fill: #111111 }}
.strong {{ font-weight: bold }}
.axis {{ stroke: #666666; fill: none }}
.grid {{ stroke: #cccccc; fill: none }}
.border {{ stroke: #999999; stroke-dasharray: 2 3; fill: none }}
.seam {{ stroke: #111111; stroke-width: 1.5; stroke-dasharray: 4 2; fill: none }}
.limit {{ stroke: #cc3311; stroke-dasharray: 6 3; fill: none }}
.peak {{ fill: #cc3311; font-weight: bold }}
.block {{ stroke: #444444; stroke-width: 0.6 }}
.workspace {{ fill-opacity: 0.5; stroke-dasharray: 2 1 }}
{{stages}}
@media (prefers-color-scheme: dark) {{
text {{ fill: #dddddd }}
.paper {{ fill: #16181c }}
.faint {{ fill: #a0a0a0 }}
.upon {{ fill: #111111 }}
.axis {{ stroke: #a0a0a0 }}
.grid {{ stroke: #3a3d44 }}
.limit {{ stroke: #ff7755 }}
.peak {{ fill: #ff7755 }}
}}
""".replace("{stages}", "\n".join(f".s{n} {{ fill: {color} }}" for n, color in enumerate(STAGE_COLORS)))


class Svg:
    """A picture of a size in pixels, on a ground that fits the page."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {_number(width)} {_number(height)}",
                "width": _number(width),
                "height": _number(height),
                "role": "img",
            },
        )
        ElementTree.SubElement(self._root, "title").text = clean(title, LONGEST_TITLE)
        ElementTree.SubElement(self._root, "style").text = _STYLE
        self.rectangle(0, 0, width, height, "paper")

    def rectangle(self, x: float, y: float, width: float, height: float, style: str, title: str = "") -> None:
        """One whose title is shown where the pointer rests on it."""
        box = {"x": _number(x), "y": _number(y), "width": _number(width), "height": _number(height)}
        self._add("rect", style, box, title)

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str, title: str = "") -> None:
        ends = {"x1": _number(x1), "y1": _number(y1), "x2": _number(x2), "y2": _number(y2)}
        self._add("line", style, ends, title)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        style: str = "",
        *,
        anchor: Anchor = "start",
        upright: bool = False,
    ) -> None:
        """Text on a base line, or `upright`, from below to above."""
        place = {"x": _number(x), "y": _number(y), "text-anchor": anchor}
        if upright:
            place["transform"] = f"rotate(-90 {_number(x)} {_number(y)})"
        self._add("text", style, place).text = clean(text)

    def encode(self) -> bytes:
        """The file: UTF-8, the same bytes for the same picture."""
        ElementTree.indent(self._root)
        text = ElementTree.tostring(self._root, encoding="unicode")
        return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()

    def _add(self, tag: str, style: str, attributes: dict[str, str], title: str = "") -> ElementTree.Element:
        element = ElementTree.SubElement(
            self._root, tag, {**({"class": style} if style else {}), **attributes}
        )
        if title:
            ElementTree.SubElement(element, "title").text = clean(title, LONGEST_TITLE)
        return element


def stage_style(number: int) -> str:
    """The class of the colour of a stage, by its number in the pipeline."""
    return f"s{number % len(STAGE_COLORS)}"


def text_width(text: str) -> float:
    """About how many pixels a text takes."""
    return len(text) * CHARACTER_WIDTH


def clean(text: str, longest: int | None = None) -> str:
    """Text in one line, without anything that is not seen or turns the order of letters, and not longer."""
    shown = printable(text).replace("\n", " ").replace("\t", " ")
    return shown if longest is None else shortened(shown, longest)


def shortened(text: str, longest: int) -> str:
    """Text of at most so many characters, which ends in `...` where some are gone."""
    return text if len(text) <= longest else text[: max(0, longest - 3)] + "..."


def _number(value: float) -> str:
    """Of pixels, with as many digits as matter."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
