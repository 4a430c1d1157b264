"""What the table of models that are not named comes to: which of them count, and how."""

from __future__ import annotations

import math

import pytest

from benchmarks.models import MODELS
from benchmarks.others import Peer, Row, instruction_ratio, memory_ratios, roomy_board


def row(model: str, ratio: float, memory: float, *, peer: float = 1e6, is_integer: bool = True) -> Row:
    found = Peer(model, peer, arena=1000, is_integer=is_integer)
    return Row(model, 100, round(ratio * peer), 10, round(1000 * memory), found)


def test_named_models_and_tiny_ones_do_not_count() -> None:
    named = next(iter(MODELS.values()))
    rows = [row("a", 0.25, 1), row("b", 1.0, 1), row(named, 9.0, 1), row("tiny", 9.0, 1, peer=1000)]
    assert instruction_ratio(rows) == pytest.approx(0.5)
    assert math.isnan(instruction_ratio([row(named, 9.0, 1)]))


def test_memory_is_compared_for_integer_models() -> None:
    rows = [row("a", 1, 0.5), row("b", 1, 0.7), row("float", 1, 3.0, is_integer=False)]
    assert list(memory_ratios(rows)) == pytest.approx([0.7, 0.6])
    assert all(map(math.isnan, memory_ratios([])))


def test_the_board_has_room_for_models_larger_than_a_slot() -> None:
    first, second = roomy_board().flash.slots
    assert first.size == 2 << 20
    assert first.end == second.start
    assert second.end <= roomy_board().flash.start + roomy_board().flash.size
