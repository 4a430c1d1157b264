"""What the number in the progress cell means."""

from __future__ import annotations

from container.manifest import MemoryPlan

IDLE = 0xFFFFFFFF
"""The container is not at work, or has not begun its first operator."""
ON_HOST = 0xFFFFFFFE
"""The host fills an input or takes an output."""


def position(plan: MemoryPlan, number: int | None) -> str:
    """Where a container was, in words that follow a verb; the number may be anything."""
    if number == ON_HOST:
        return "while the host served it"
    if number is None or number >= len(plan.operators):
        return "at an unknown place"
    operator = plan.operators[number]
    return f"in stage `{operator.stage}`, operator {number} ({operator.name})"
