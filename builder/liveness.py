"""What is alive when: the memory that the tensors of a pipeline need at once, before there are kernels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import tvm

from builder.lower import ALIASES, BARRIER
from builder.passes.rewriting import is_call, variables_in

Step: TypeAlias = Sequence[Hashable]
"""Names of the blocks of memory that an operator reads and writes."""


class Lives:
    """What operators read and write, by the blocks of memory that tensors are."""

    def __init__(self, module: Any) -> None:
        main = module["main"]
        self.roots: dict[Any, Any] = {}
        """By a variable without code the variable that it lies in."""
        self.sizes: dict[Any, int] = {variable: _bytes(variable.ty) for variable in main.params}
        self.steps: list[tuple[Any, Step]] = []
        for block in main.body.blocks:
            for binding in block.bindings:
                self._add(binding.var, binding.value)
        self.results = self._blocks(main.body.body)

    def _add(self, variable: Any, value: Any) -> None:
        used = self._blocks(value)
        if is_call(value, *ALIASES, BARRIER) and used:
            self.roots[variable] = used[0]
            return
        self.sizes[variable] = _bytes(variable.ty)
        self.steps.append((variable, [*used, variable]))

    def _blocks(self, expression: Any) -> list[Any]:
        return [self.roots.get(variable, variable) for variable in variables_in(expression)]

    def peak(self) -> int:
        """The most bytes that are alive at once."""
        return peak_bytes([*(step for _, step in self.steps), self.results], self.sizes)


def peak_bytes(steps: Sequence[Step], sizes: Mapping[Hashable, int]) -> int:
    """The most bytes that are alive at once in a sequence of steps, by the sizes of blocks."""
    last = {name: number for number, step in enumerate(steps) for name in step}
    alive: set[Hashable] = set()
    total = peak = 0
    for number, step in enumerate(steps):
        new = set(step) - alive
        alive |= new
        total += sum(sizes[name] for name in new)
        peak = max(peak, total)
        gone = {name for name in step if last[name] == number}
        alive -= gone
        total -= sum(sizes[name] for name in gone)
    return peak


def _bytes(type_: Any) -> int:
    """Of a tensor, or of all tensors of a tuple."""
    if hasattr(type_, "fields"):
        return sum(map(_bytes, type_.fields))
    count = 1
    for size in type_.shape.values:
        count *= int(size)
    return count * int(tvm.DataType(str(type_.dtype)).bits) // 8
