"""Containers made by hand: WebAssembly text or C, sealed with a manifest that fits."""

from __future__ import annotations

import wasmtime

from builder.target import Target
from builder.toolchain import Module, compile_unit
from container.abi import ABI_VERSION, Profile
from container.manifest import (
    Manifest,
    MemoryPlan,
    OperatorRecord,
    OutputReference,
    StageKind,
    StageRecord,
)
from container.sections import Container, seal
from container.tensors import ElementType, TensorType


def of_text(
    text: str,
    *,
    read_only: int = 0,
    memory: int = 65536,
    progress: int | None = None,
    given: int = 4,
    taken: int = 4,
    sensor: str = "RAW",
) -> Container:
    """A container of WebAssembly text; `given` and `taken` are the bytes of its only input and output.

    The progress cell lies, unless told otherwise, at the end of the memory.
    """
    place = memory - 4 if progress is None else progress
    plan = MemoryPlan(memory, read_only, 0, 0, place, (OperatorRecord("work", "given", 0, 0),))
    return _sealed(bytes(wasmtime.wat2wasm(text)), plan, given, taken, sensor)


def of_c(source: str, *, given: int, taken: int) -> Container:
    """A container of one C unit, which has to define `rune_progress` and export `run`."""
    module = compile_unit(source, Target(Profile.MCU))
    return _sealed(module.wasm, _plan(module), given, taken)


def _plan(module: Module) -> MemoryPlan:
    operators = (OperatorRecord("work", "given", 0, 0),)
    return MemoryPlan(module.linear_memory, module.read_only, 0, module.stack, module.progress, operators)


def _sealed(wasm: bytes, plan: MemoryPlan, given: int, taken: int, sensor: str = "RAW") -> Container:
    inward, outward = TensorType(ElementType.U8, (given,)), TensorType(ElementType.U8, (taken,))
    stages = (
        StageRecord("given", StageKind.CAPABILITY, sensor, outputs=(inward,), port=0),
        StageRecord("taken", StageKind.OUT, "SERIAL", (OutputReference("given", 0),), (outward,), port=0),
    )
    manifest = Manifest(ABI_VERSION, "guest", stages, (), {Profile.MCU: plan}, {})
    return Container.parse(seal(manifest, {Profile.MCU: wasm}))
