"""The order in which proc blocks see numbers: NaN is less than anything else, and equal to itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from builder.blocks.base import Array
from container.tensors import ElementType


def larger(element: ElementType) -> Callable[[Any, Any], Any]:
    """Whether the first of two TIR expressions is the larger."""
    if element.is_float:
        from builder import tir

        # In C, since TVM holds that x == x.
        return lambda a, b: tir.pure_call("bool", f"rune_larger_{element.value}", a, b)
    return lambda a, b: a > b


def descending(values: Array) -> Array:
    """Ranks of the values, 0 for the largest and the same for equal ones, for NumPy to sort by."""
    if values.dtype.kind == "f":
        distinct = np.unique(values[~np.isnan(values)])
        ascending = np.where(np.isnan(values), -1, np.searchsorted(distinct, values))
    else:
        distinct = np.unique(values)
        ascending = np.searchsorted(distinct, values)
    return len(distinct) - ascending


def index_of_largest(element: ElementType, count: int, value: Callable[[Any], Any]) -> Any:
    """A `tir.Cell` (int32) with the index of the largest of `value(0)` to `value(count - 1)`, the lowest of
    equals.
    """
    from builder import tir

    better = larger(element)
    best = tir.Cell("int32", 0)
    with tir.loop(count) as k, tir.when(better(value(k), value(best.value))):
        best.set(k)
    return best


def largest_first(
    better: Callable[[Any, Any], Any],
    count: int,
    wanted: int,
    value: Callable[[Any], Any],
    found: Callable[[Any, Any], None],
) -> None:
    """Emits `found(rank, index)` for the best `wanted` of `value(0)` to `value(count - 1)`, the best first.

    `better` tells which of two TIR expressions comes before the other, a total order; of equal ones the
    lowest index comes first.  It takes `wanted` passes.
    """
    from builder import tir

    previous = tir.Cell("int32", -1)
    with tir.loop(wanted) as rank:
        best = tir.Cell("int32", -1)
        with tir.loop(count) as i:
            last = previous.value
            follows = tir.both(tir.negation(better(value(i), value(last))), last < i)
            left = tir.either(last < 0, better(value(last), value(i)), follows)
            with tir.when(tir.both(left, tir.either(best.value < 0, better(value(i), value(best.value))))):
                best.set(i)
        found(rank, best.value)
        previous.set(best.value)
