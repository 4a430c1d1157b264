"""The plan of the arena: nothing that is alive is overwritten but where a slide allows it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from builder.plan import Lifetime, Placement, Slide, high_water, place

SLIDES = st.builds(
    lambda count, step: Slide(count * step, step), st.integers(-20, 20), st.sampled_from([1, 4, 6, 64])
)


@st.composite
def programs(draw: st.DrawFn) -> tuple[dict[int, Lifetime], dict[tuple[int, int], Slide]]:
    """Blocks, and slides between those of which one ends as the other begins."""
    lives = st.tuples(st.integers(0, 200), st.integers(0, 8), st.integers(0, 3))
    drawn = draw(st.lists(lives, max_size=14))
    blocks = {key: Lifetime(size, first, first + more) for key, (size, first, more) in enumerate(drawn)}
    pairs = [
        (a, r)
        for a in blocks
        for r in blocks
        if blocks[a].last == blocks[r].first
        and blocks[a].first < blocks[a].last
        and blocks[r].last > blocks[r].first
    ]
    return blocks, {pair: draw(SLIDES) for pair in pairs if draw(st.booleans())}


def is_safe(pair: tuple[int, int], placement: Placement, slides: dict[tuple[int, int], Slide]) -> bool:
    """What `Slide` says, in other words: so far below, and by whole steps."""
    below = placement.offsets[pair[0]] - placement.offsets[pair[1]]
    return pair in slides and below >= slides[pair].distance and below % slides[pair].step == 0


@given(programs(), st.sampled_from([1, 4, 16]))
def test_no_two_that_are_alive_overlap(
    program: tuple[dict[int, Lifetime], dict[tuple[int, int], Slide]], alignment: int
) -> None:
    blocks, slides = program
    placement = place(blocks, alignment, slides)
    ends = {key: placement.offsets[key] + blocks[key].bytes for key in blocks}
    assert placement.bytes == max(ends.values(), default=0)
    assert all(offset >= 0 and offset % alignment == 0 for offset in placement.offsets.values())
    for a in blocks:
        for b in blocks:
            apart = ends[a] <= placement.offsets[b] or ends[b] <= placement.offsets[a]
            if a < b and blocks[a].overlaps(blocks[b]) and not apart:
                assert is_safe((a, b), placement, slides) or is_safe((b, a), placement, slides)


@given(programs())
def test_slides_never_cost_memory(program: tuple[dict[int, Lifetime], dict[tuple[int, int], Slide]]) -> None:
    blocks, slides = program
    with_slides, without = place(blocks, 4, slides), place(blocks, 4)
    assert with_slides.bytes <= without.bytes
    assert place(blocks, 4, slides) == with_slides
    last = max((block.last for block in blocks.values()), default=0)
    marks = [high_water(blocks, with_slides, step) for step in range(last + 1)]
    assert max(marks) == with_slides.bytes


def chain(count: int) -> dict[int, Lifetime]:
    """Blocks of 100 bytes, each computed from the one before it."""
    return {key: Lifetime(100, key, key + 1) for key in range(count)}


def test_a_chain_slides_down() -> None:
    """Each result begins 8 bytes below its argument: the last at 0, the first at 4 x 8."""
    slides = {(key, key + 1): Slide(8) for key in range(4)}
    assert place(chain(5), 4, slides).bytes == 100 + 4 * 8


def test_a_chain_in_place() -> None:
    slides = {(key, key + 1): Slide(0) for key in range(4)}
    assert place(chain(5), 4, slides) == Placement(dict.fromkeys(range(5), 0), 100)


def test_a_chain_without_slides_takes_two() -> None:
    assert place(chain(5), 4).bytes == 200


def test_steps_and_alignment() -> None:
    """Multiples of 6 that are multiples of 4: 12 bytes below, where 6 would do."""
    blocks = {0: Lifetime(96, 0, 1), 1: Lifetime(96, 1, 2)}
    assert place(blocks, 4, {(0, 1): Slide(6, 6)}).bytes == 96 + 12


def test_a_result_may_begin_behind_its_argument() -> None:
    """Of two results one can lie upon the last 40 bytes of the argument."""
    blocks = {0: Lifetime(100, 0, 1), 1: Lifetime(40, 1, 2), 2: Lifetime(60, 1, 2)}
    assert place(blocks, 4, {(0, 1): Slide(-60), (0, 2): Slide(0)}).bytes == 100
