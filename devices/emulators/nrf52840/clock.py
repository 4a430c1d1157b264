"""The time of the board: executed instructions, and what it slept."""

from __future__ import annotations

import ctypes
import functools
import tempfile
from pathlib import Path

from container.zig import run_zig

CLOCK_HZ = 64_000_000
FOREVER = 1 << 62

_SOURCE = Path(__file__).with_name("block_counter.c")


class BlockCounter(ctypes.Structure):
    """`struct block_counter` of block_counter.c."""

    _fields_ = (
        ("executed", ctypes.c_uint64),
        ("limit", ctypes.c_uint64),
        ("stopped", ctypes.c_uint32),
        ("code_bytes", ctypes.c_uint32),
        ("code", ctypes.c_void_p),
        ("stop", ctypes.c_void_p),
    )


@functools.cache
def counter_library() -> ctypes.CDLL:
    """block_counter.c, compiled: called from Python for each block it would take most of the time."""
    with tempfile.TemporaryDirectory(prefix="rune-counter-") as name:
        flags = ("-shared", "-O2", "-fPIC", "-nostdlib", "-Wall", "-Wextra", "-Werror")
        run_zig(Path(name), "cc", *flags, str(_SOURCE), "-o", "counter.so")
        return ctypes.CDLL(str(Path(name, "counter.so")))


class Clock:
    """Counts cycles since the start of the process; one instruction is one cycle."""

    def __init__(self) -> None:
        self.counter = BlockCounter()
        self._skipped = 0

    @property
    def now(self) -> int:
        """Cycles.  Inside of a block, those up to its end."""
        return int(self.counter.executed) + self._skipped

    def skip(self, cycles: int) -> None:
        """Let time pass in which nothing is executed."""
        self._skipped += cycles

    def run_until(self, cycle: int) -> None:
        """Let no block begin from then on."""
        self.counter.limit = max(0, cycle - self._skipped)
        self.counter.stopped = 0

    def interrupt(self) -> None:
        """Let no further block begin."""
        self.counter.limit = 0
