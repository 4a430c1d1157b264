"""What tensors need at once."""

from __future__ import annotations

from collections.abc import Hashable

from builder.liveness import peak_bytes


def test_the_most_that_is_alive_at_once() -> None:
    """By hand: a and b (14), b and c (24), then c with a branch d (25), and both with their sum (28)."""
    sizes: dict[Hashable, int] = {"a": 10, "b": 4, "c": 20, "d": 5, "e": 3}
    steps = [["a"], ["a", "b"], ["b", "c"], ["c", "d"], ["c", "d", "e"], ["e"]]
    assert peak_bytes(steps, sizes) == 28


def test_what_is_needed_later_stays() -> None:
    assert peak_bytes([["a"], ["b"], ["c"], ["a"]], {"a": 1, "b": 2, "c": 4}) == 5
