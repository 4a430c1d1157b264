"""How much a container may take."""

from __future__ import annotations

from typing import NamedTuple

from container.abi import MAXIMUM_MEMORY_BYTES
from container.errors import UsageError

MAXIMUM_TIME_S = 86_400.0
"""The longest time that may be allowed: a day."""
MAXIMUM_FUEL = 1 << 62


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

    def check(self) -> None:
        """Raises UsageError for a limit that is none."""
        for name, value in (("deadline_s", self.deadline_s), ("load_s", self.load_s)):
            if not 0 <= value <= MAXIMUM_TIME_S:
                raise UsageError(f"the limit {name} is {value:g} s, expected 0 to {MAXIMUM_TIME_S:,.0f}")
        if self.fuel is not None and not 0 <= self.fuel <= MAXIMUM_FUEL:
            raise UsageError(f"the limit fuel is {self.fuel:,}, expected 0 to {MAXIMUM_FUEL:,}")
