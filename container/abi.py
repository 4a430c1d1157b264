"""The binary interface between a container and whatever runs it.

A container imports two functions from module `rune`:

    read(source, pointer, length) -> i32     fill `length` bytes of linear memory with the next sample of
                                             capability `source`; returns the number of bytes filled
    write(output, pointer, length) -> i32    take `length` bytes as the value of output `output`; returns
                                             the number of bytes taken

and exports `memory` and `run() -> i32`.  `run` performs one inference: it returns 0, or an error code
made of the number of the stage that failed (its index in the manifest's `stages`) and a `Failure`.

While it runs, the container keeps the number of the operator at work (its index in the memory plan's
`operators`) in a 32-bit cell of its linear memory, at the address the plan gives as `progress`; so a trap,
a time-out or a sampling profiler can tell where it was without any cost but one store an operator.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

ABI_VERSION = 1
IMPORT_MODULE = "rune"
PROGRESS_BYTES = 4
"""Size of the progress cell."""
MAXIMUM_MEMORY_BYTES = 256 << 20
"""The largest linear memory that a host accepts unless told otherwise."""


class Profile(StrEnum):
    """Which kernels a module was built with."""

    SIMD = "simd"
    """wasm SIMD128, standard pages: PCs, gateways, browsers."""
    MCU = "mcu"
    """Scalar code with DSP helper functions, one-byte pages: boards."""


class Failure(IntEnum):
    """Why a stage gave up, as the low byte of what `run` returns."""

    READ = 1
    WRITE = 2
    INDEX = 3
    TEXT = 4
    VALUE = 5

    @property
    def message(self) -> str:
        return {
            Failure.READ: "its sensor gave no complete sample",
            Failure.WRITE: "its output was not taken",
            Failure.INDEX: "an index is outside of the list it points into",
            Failure.TEXT: "the text cannot be read as a number",
            Failure.VALUE: "a value is outside of what the stage accepts",
        }[self]


def error_code(stage: int, failure: int) -> int:
    """What `run` returns when stage number `stage` fails for the reason `failure`."""
    return (stage << 8) | failure


def split_error_code(code: int) -> tuple[int, int]:
    """The stage number and the failure's number in a value returned by `run`."""
    return code >> 8, code & 0xFF
