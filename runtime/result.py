"""What one inference gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One inference."""

    outputs: Mapping[int, bytes]
    """By the number passed to `write`."""
    elapsed_ns: int
    """From the call of `run` to its return."""
    fuel: int | None
    """WebAssembly operations, as wasmtime counts fuel; None where they are not counted."""
