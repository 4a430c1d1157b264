"""The blocks of a memory plan: their names, who takes whose place, and the step that needs the most."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from container.manifest import MemoryPlan, OperatorRecord
from container.memory import Block, Peak, blocks, peak, predecessors

OPERATORS = (
    OperatorRecord("read", "picture", 0, 120),
    OperatorRecord("conv", "net", 10, 120),
    OperatorRecord("add", "net", 0, 120),
    OperatorRecord("split", "net", 0, 80),
    OperatorRecord("write", "serial", 0, 80),
)
ROWS = ((0, 40, 0, 2), (40, 40, 1, 2), (80, 40, 1, 1), (40, 40, 2, 3), (0, 20, 3, 4), (20, 20, 3, 4))


def plan(*rows: tuple[int, ...], operators: tuple[OperatorRecord, ...] = OPERATORS) -> MemoryPlan:
    return MemoryPlan(1000, 0, 120, 0, 0, operators, blocks=rows)


def test_names() -> None:
    """A sensor's tensor has its name, others have their operator's, with a number where it has several."""
    named = [(block.name, block.stage, block.is_workspace) for block in blocks(plan(*ROWS))]
    assert named == [
        ("picture", "picture", False),
        ("conv", "net", False),
        ("conv (workspace)", "net", True),
        ("add", "net", False),
        ("split", "net", False),
        ("split:1", "net", False),
    ]


def test_who_takes_whose_place() -> None:
    found = blocks(plan(*ROWS))
    # `add` begins on the bytes of `conv` with the last step that reads them, `split` beside those of `add`.
    assert predecessors(found) == [None, None, None, found[1], None, None]


def test_a_workspace_takes_no_place() -> None:
    assert predecessors(blocks(plan((0, 40, 0, 1), (0, 40, 1, 1)))) == [None, None]


def test_the_peak_counts_bytes_once() -> None:
    """Steps 1 and 2 reach 120 bytes both; in the second, `add` stands where `conv` does: 80 are in use."""
    assert peak(plan(*ROWS)) == Peak(step=1, bytes=120, live_bytes=120)
    shifted = ((0, 40, 0, 1), (40, 40, 1, 2), (32, 40, 2, 3))
    operators = tuple(OperatorRecord("x", "net", 0, size) for size in (40, 80, 81, 72))
    assert peak(plan(*shifted, operators=operators)) == Peak(step=2, bytes=81, live_bytes=48)


def test_the_peak_is_where_most_is_in_use() -> None:
    """A sensor's tensor that lies behind what is computed of it reaches as high, and is not why."""
    operators = tuple(OperatorRecord("x", "net", 0, 100) for _ in range(2))
    assert peak(plan((80, 20, 0, 1), (0, 80, 1, 1), operators=operators)) == Peak(1, 100, 100)


def test_a_plan_without_steps_or_blocks() -> None:
    assert peak(plan(operators=())) is None
    assert blocks(plan()) == ()
    assert peak(plan()) == Peak(0, 120, 0)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 3), st.integers(0, 3))))
def test_predecessors_are_those_that_a_look_at_all_pairs_finds(rows: list[tuple[int, int, int, int]]) -> None:
    found = blocks(plan(*((offset, size, min(a, b), max(a, b)) for offset, size, a, b in rows)))
    for block, before in zip(found, predecessors(found), strict=True):
        candidates = [other for other in found if _hands_over(other, block)]
        assert (before is None) == (not candidates)
        assert before is None or before in candidates


def _hands_over(one: Block, other: Block) -> bool:
    in_time = one.last == other.first and not one.is_workspace and not other.is_workspace
    return in_time and one.offset < other.end and other.offset < one.end
