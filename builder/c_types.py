"""What generated C and Python agree on: the type of each dtype that a container can hold, and failures."""

from __future__ import annotations

from container.abi import Failure

C_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "int64": "int64_t",
    "uint64": "uint64_t",
    "float32": "float",
    "float64": "double",
    "bool": "bool",
}

FAILURE_DEFINITIONS = tuple(f"#define RUNE_FAILURE_{failure.name} {int(failure)}" for failure in Failure)
