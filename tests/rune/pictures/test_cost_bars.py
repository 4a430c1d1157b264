"""Bars: of what operators cost, in a terminal and in an SVG file."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rune.pictures.characters import ASCII, BLOCKS, bar
from rune.pictures.cost_bars import BAR_WIDTH, Bar, draw
from tests.snapshots import assert_snapshot

SVG = "{http://www.w3.org/2000/svg}"
HEADERS = ("instructions", "share", "MACs", "instructions/MAC")
BARS = [
    Bar("read", "picture", 20, ("20", "2%", "", "")),
    Bar("conv_0", "net", 800, ("800", "80%", "640", "1.25")),
    Bar("argmax", "best", 180, ("180", "18%", "", "")),
]


def test_chart() -> None:
    svg = draw("sample: instructions by operator", "1,000 instructions an inference", HEADERS, BARS)
    assert_snapshot("cli/cost-bars.svg", svg.decode())


def test_lengths_are_in_proportion() -> None:
    root = ElementTree.fromstring(draw("sample", "", HEADERS, BARS))
    widths = [float(box.attrib["width"]) for box in root.iter(f"{SVG}rect") if len(box)]
    assert widths == pytest.approx([BAR_WIDTH * 20 / 800, BAR_WIDTH, BAR_WIDTH * 180 / 800], abs=0.01)


def test_names_of_others() -> None:
    svg = draw("<b>", "&", HEADERS, [Bar("</svg>\u202e" + "x" * 900, "\x07", 0, ("0", "0%", "", ""))])
    written = [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert "</svg>\\u202exxxxxxxxxxxxx..." in written
    assert "\\u0007" in written


@pytest.mark.parametrize(
    ("part", "expected"),
    [(0, ""), (0.0001, "▏"), (0.25, "██"), (0.5, "████"), (0.45, "███▋"), (1, "████████"), (7, "████████")],
)
def test_bar(part: float, expected: str) -> None:
    assert bar(part, 8, BLOCKS) == expected


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_longer_bar_is_not_of_less(one: float, other: float) -> None:
    for characters in (BLOCKS, ASCII):
        if len(bar(one, 10, characters)) > len(bar(other, 10, characters)):
            assert one > other
