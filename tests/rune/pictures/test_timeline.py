"""Memory plans as pictures: in the cells of a terminal, and as SVG files."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.abi import Profile
from container.errors import ContainerError
from container.manifest import MemoryPlan, OperatorRecord
from rune.pictures import timeline_svg, timeline_text
from rune.pictures.characters import ASCII, BLOCKS, plain
from rune.pictures.timeline import Timeline, timeline
from tests.snapshots import assert_snapshot

SVG = "{http://www.w3.org/2000/svg}"
OPERATORS = (
    OperatorRecord("read", "picture", 0, 8000),
    OperatorRecord("conv_0", "net", 90_000, 12_000),
    OperatorRecord("conv_1", "net", 90_000, 16_000),
    OperatorRecord("add_2", "net", 0, 8000),
    OperatorRecord("argmax", "best", 0, 4004),
    OperatorRecord("write", "serial", 0, 4),
)
BLOCK_ROWS = (
    (4000, 4000, 0, 1),
    (0, 4000, 1, 3),
    (8000, 4000, 1, 1),
    (4000, 4000, 2, 3),
    (8000, 8000, 2, 2),
    (0, 4000, 3, 4),
    (4000, 4, 4, 5),
)
PLAN = MemoryPlan(65_536, 0, 16_000, 0, 0, OPERATORS, blocks=BLOCK_ROWS)


def picture(plan: MemoryPlan = PLAN) -> Timeline:
    return timeline(Profile.MCU, plan)


def texts(svg: bytes) -> list[str]:
    """Everything that is written, titles included."""
    return ["".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if element.text]


def test_summary() -> None:
    assert picture().summary == "16,000 bytes, needed at step 2, conv_1 of net, where 16,000 are in use"


def test_in_blocks() -> None:
    assert_snapshot("cli/timeline.txt", timeline_text.draw(picture(), 80, BLOCKS, plain) + "\n")


def test_in_ascii() -> None:
    drawn = timeline_text.draw(picture(), 60, ASCII, plain)
    assert_snapshot("cli/timeline-ascii.txt", drawn + "\n")
    assert drawn.isascii()


def test_colors_are_those_of_stages() -> None:
    painted = timeline_text.draw(picture(), 80, BLOCKS, lambda text, stage: f"<{stage}>{text}</>")
    assert {line[line.index("<") + 1] for line in painted.splitlines() if "<" in line} == {"0", "1"}
    assert "<2>" in painted
    assert "<3>" not in painted  # an output computes nothing


@pytest.mark.parametrize("columns", [1, 40, 80, 200])
def test_width_of_the_terminal(columns: int) -> None:
    lines = timeline_text.draw(picture(), columns, BLOCKS, plain).splitlines()
    assert max(map(len, lines[:17])) <= max(columns, timeline_text.LEAST_PLOT + len("16,000") + 3)


def test_many_steps_share_columns() -> None:
    operators = tuple(OperatorRecord(f"op_{n}", "net", 0, 200) for n in range(500))
    rows = tuple((100 * (n % 2), 100, n, n + 1) for n in range(499))
    drawn = timeline_text.draw(
        picture(replace(PLAN, arena=200, operators=operators, blocks=rows)), 80, ASCII, plain
    )
    assert max(map(len, drawn.splitlines())) <= 80


def test_svg() -> None:
    assert_snapshot("cli/timeline.svg", timeline_svg.draw(picture(), "sample").decode())


def test_svg_tells_blocks_and_the_peak() -> None:
    written = texts(timeline_svg.draw(picture(), "sample"))
    assert "conv_0, net: 4,000 bytes at 0, steps 1 to 3" in written
    assert "add_2, net: 4,000 bytes at 0, steps 3 to 4, in the place of conv_0" in written
    assert "conv_1 (workspace), net: 8,000 bytes at 8,000, step 2" in written
    assert "peak: 16,000 bytes, conv_1" in written


def test_rectangles_lie_where_the_blocks_do() -> None:
    """A block that hands its bytes over ends in the middle of the step in which the other one begins."""
    root = ElementTree.fromstring(timeline_svg.draw(picture(), "sample"))
    boxes = {
        (title.text or "").split(",")[0]: [float(box.attrib[name]) for name in ("x", "y", "width", "height")]
        for box in root.iter(f"{SVG}rect")
        if (title := box.find(f"{SVG}title")) is not None
    }
    step, left, top, height = 120, timeline_svg.LEFT, timeline_svg.TOP, timeline_svg.PLOT_HEIGHT
    assert boxes["picture"] == [left, top + height / 2, 2 * step, height / 4]
    assert boxes["conv_0"] == [left + step, top + height * 3 / 4, 2.5 * step, height / 4]
    assert boxes["add_2"] == [left + 3.5 * step, top + height * 3 / 4, 1.5 * step, height / 4]


def test_a_plan_without_blocks_says_how_to_get_them() -> None:
    with pytest.raises(ContainerError, match="does not tell where its tensors lie") as caught:
        picture(replace(PLAN, blocks=()))
    assert caught.value.hint == "the container is of an older Rune: build it again with `rune build`"


HOSTILE = "<script>&\"'\u202egnp\x00\x1b[31m\ud800" + "x" * 5000


def test_hostile_names() -> None:
    """Names come from model files: they are escaped, cannot turn the text around, and end somewhere."""
    operators = (*OPERATORS[:1], replace(OPERATORS[1], name=HOSTILE, stage=HOSTILE), *OPERATORS[2:])
    hostile = picture(replace(PLAN, operators=operators))
    svg = timeline_svg.draw(hostile, HOSTILE)
    written = "".join(texts(svg))
    assert b"<script>" not in svg
    assert "<script>&\"'\\u202egnp\\u0000\\u001b[31m\\ud800xxx" in written
    assert all(character.isprintable() or character == "\n" for character in written)
    drawn = timeline_text.draw(hostile, 80, BLOCKS, plain)
    assert all(character.isprintable() or character == "\n" for character in drawn)


@given(st.data())
def test_any_plan_can_be_drawn(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 40))
    arena = data.draw(st.integers(0, 1 << 32))
    operators = tuple(OperatorRecord(f"op_{n}", f"stage {n % 9}", 0, arena) for n in range(count))
    rows = []
    for _ in range(data.draw(st.integers(1, 12))):
        first, last = sorted(data.draw(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))))
        begin, end = sorted(data.draw(st.tuples(st.integers(0, arena), st.integers(0, arena))))
        rows.append((begin, end - begin, first, last))
    drawn = picture(replace(PLAN, arena=arena, operators=operators, blocks=tuple(rows)))
    lines = timeline_text.draw(drawn, 60, ASCII, plain).splitlines()
    assert len(lines) >= timeline_text.ROWS + 2
    ElementTree.fromstring(timeline_svg.draw(drawn, "any"))
