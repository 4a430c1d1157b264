"""What keeps a model from being compiled, gathered and told all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from container.errors import CompileError


@dataclass(frozen=True)
class Problem:
    """One operator that cannot be compiled."""

    node: int
    """Its index in the model's graph."""
    operator: str
    tensors: str
    """Names of its outputs."""
    reason: str
    hint: str | None = None


def raise_problems(file: str, stage: str, problems: Sequence[Problem]) -> None:
    """Raises CompileError naming all of them, unless there are none."""
    if not problems:
        return
    lines = [f"stage `{stage}`: {file} cannot be compiled:"]
    lines += [f"  operator {p.operator} (node {p.node}, output {p.tensors}): {p.reason}" for p in problems]
    raise CompileError("\n".join(lines), hint=next((p.hint for p in problems if p.hint), None))
