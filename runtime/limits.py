"""How much a container may take."""

from __future__ import annotations

from typing import NamedTuple

from container.abi import MAXIMUM_MEMORY_BYTES


class Limits(NamedTuple):
    """A container that runs over one of these is ended with a LimitError."""

    deadline_s: float = 10.0
    """For one inference."""
    load_s: float = 120.0
    """For compiling the module and setting it up."""
    memory_bytes: int = MAXIMUM_MEMORY_BYTES
    """Linear memory."""
    fuel: int | None = None
    """WebAssembly operations in one inference, as wasmtime counts fuel; None does not count.

    Counting is exact and repeatable, and costs about half of the speed of a tight kernel
    (benchmarks/metering.py); the deadline costs nothing.
    """
