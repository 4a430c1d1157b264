"""What no output needs."""

from __future__ import annotations

from typing import Any

from tvm import relax


def remove_dead_code(module: Any) -> Any:
    """The module without operators and functions that no output depends on."""
    return relax.transform.DeadCodeElimination()(module)
