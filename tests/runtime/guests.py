"""Containers written in WebAssembly text: each test reads alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import wasmtime

from container.abi import ABI_VERSION, Profile
from container.golden import GoldenVector, encode
from container.manifest import (
    Argument,
    Manifest,
    MemoryPlan,
    OperatorRecord,
    OutputReference,
    StageKind,
    StageRecord,
)
from container.sections import Container, seal
from container.tensors import ElementType, TensorType

PAGE_BYTES = 65536
FOUR_BYTES = TensorType(ElementType.I8, (1, 4))

IMPORTS = """
    (import "rune" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "rune" "write" (func $write (param i32 i32 i32) (result i32)))
"""
MEMORY = '(memory (export "memory") 1)'
ECHO = """
    (drop (call $read (i32.const 0) (i32.const 16) (i32.const 4)))
    (drop (call $write (i32.const 0) (i32.const 16) (i32.const 4)))
    (i32.const 0)
"""
COUNT = """
    (drop (call $read (i32.const 0) (i32.const 32) (i32.const 4)))
    (i32.store (i32.const 16) (i32.add (i32.load (i32.const 16)) (i32.const 1)))
    (drop (call $write (i32.const 0) (i32.const 16) (i32.const 4)))
    (i32.const 0)
"""
"""Reads its input for nothing, and writes how often it has run."""


def module(body: str, *, imports: str = IMPORTS, memory: str = MEMORY, more: str = "") -> bytes:
    """A module whose `run` is `body`."""
    return assemble(f'(module {imports} {memory} {more} (func (export "run") (result i32) {body}))')


def assemble(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def capability(
    name: str, kind: TensorType, target: str = "RAW", port: int = 0, **arguments: Argument
) -> StageRecord:
    return StageRecord(name, StageKind.CAPABILITY, target, outputs=(kind,), arguments=arguments, port=port)


def out(name: str, *kinds: TensorType, of: str, target: str = "SERIAL", port: int = 0) -> StageRecord:
    inputs = tuple(OutputReference(of, 0) for _ in kinds)
    return StageRecord(name, StageKind.OUT, target, inputs=inputs, input_types=kinds, port=port)


def manifest(
    *stages: StageRecord, memory_bytes: int = PAGE_BYTES, profiles: Sequence[Profile] = (Profile.SIMD,)
) -> Manifest:
    """A manifest with an operator per stage and the progress cell at address 0."""
    stages = stages or (capability("features", FOUR_BYTES), out("serial", FOUR_BYTES, of="features"))
    operators = tuple(OperatorRecord(f"op_{stage.name}", stage.name, 0, 0) for stage in stages)
    plan = MemoryPlan(memory_bytes, 0, 64, 0, 0, operators)
    return Manifest(ABI_VERSION, "guest", stages, (), dict.fromkeys(profiles, plan), {"rune": "0"})


def container(
    code: bytes, *stages: StageRecord, memory_bytes: int = PAGE_BYTES, vectors: Sequence[GoldenVector] = ()
) -> Container:
    """A container of the profile `simd`."""
    golden = encode(vectors) if vectors else None
    about = manifest(*stages, memory_bytes=memory_bytes)
    if golden is not None:
        about = replace(about, golden_engines=("by hand",))
    return Container.parse(seal(about, {Profile.SIMD: code}, golden))


def echo(*stages: StageRecord) -> Container:
    """Gives back the four bytes it reads."""
    return container(module(ECHO), *stages)
