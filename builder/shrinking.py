"""Applies graph passes and counts what each removes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tvm import relax

from builder.lower import CODELESS
from builder.operators import by_name
from builder.operators.base import constant_value, is_constant

GraphPass: TypeAlias = Callable[[Any], Any]
"""Rewrites a Relax module of whole operators; every bit of its outputs stays as it was."""


@dataclass(frozen=True)
class Work:
    """How much there is to do in a module."""

    operations: int
    """Calls that run code."""
    macs: int
    """Their multiply-accumulates."""
    weight_bytes: int
    """Of all constants; equal ones count once, as they are stored."""


@dataclass(frozen=True)
class Removed:
    """What a pass took out of a module; below zero what it added."""

    name: str
    operations: int
    macs: int
    weight_bytes: int


def shrink(module: Any, passes: Sequence[GraphPass], report: Callable[[Removed], None]) -> Any:
    """The module after all passes; `report` is told of each what it removed."""
    before = work(module)
    for rewrite in passes:
        module = rewrite(module)
        after = work(module)
        report(
            Removed(
                rewrite.__name__,
                before.operations - after.operations,
                before.macs - after.macs,
                before.weight_bytes - after.weight_bytes,
            )
        )
        before = after
    return module


def work(module: Any) -> Work:
    """What a module has to do."""
    main = module["main"]
    calls = [binding.value for block in main.body.blocks for binding in block.bindings]
    calls = [call for call in calls if isinstance(call, relax.Call)]
    sizes: dict[bytes, int] = {}

    def weigh(expression: Any) -> None:
        if is_constant(expression):
            values = constant_value(expression)
            sizes[hashlib.sha256(f"{values.dtype}".encode() + values.tobytes()).digest()] = values.nbytes

    relax.analysis.post_order_visit(main.body, weigh)
    return Work(
        operations=sum(call.op.name not in CODELESS for call in calls),
        macs=sum(by_name()[call.op.name].macs(call) for call in calls if call.op.name in by_name()),
        weight_bytes=sum(sizes.values()),
    )
