"""What passes between the host process and the worker besides bytes.

Kept to built-in types: the worker has its own start to make, and imports neither manifest nor dataclasses.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Interface(NamedTuple):
    """All that the worker needs to know of a container."""

    sources: dict[int, int]
    """Bytes of a sample, by the number that is passed to `read`."""
    sinks: dict[int, int]
    """Bytes of a value, by the number that is passed to `write`."""
    simd: bool
    """Whether the module may use SIMD and, if not, pages of one byte."""
    planned_memory_bytes: int
    """Linear memory that the manifest speaks of."""
    maximum_memory_bytes: int
    """Linear memory that the host allows."""
    progress: int
    """Address of the progress cell in linear memory."""
    fuel: int | None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Interface:
        """From what JSON makes of `_asdict`: its keys are text."""
        numbered = {
            name: {int(port): size for port, size in value[name].items()} for name in ("sources", "sinks")
        }
        return cls(**{**value, **numbered})


class Result(NamedTuple):
    """What one call of `run` gave."""

    code: int
    """What `run` returned."""
    outputs: dict[int, bytes]
    """By the number passed to `write`."""
    elapsed_ns: int
    """From the call of `run` to its return."""
    fuel: int | None
    """WebAssembly operations, as wasmtime counts fuel; None where they are not counted."""
