"""wasmtime, fenced in: nothing else imports it and no exception of its own gets out.

The module is hostile.  It may import `rune.read` and `rune.write` with their exact types and nothing else;
its memory may not be larger than the manifest says nor grow; every pointer and length it passes is checked.
Its code can still run for ever: that is for a process outside to end (runtime/process.py).
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import wasmtime

from container.abi import IMPORT_MODULE, Failure, Profile, split_error_code
from container.errors import ContainerError, LimitError, RuneError, TrapError
from container.manifest import PROGRESS_BYTES, Manifest
from container.sections import sections
from runtime.cache import ModuleCache
from runtime.limits import Limits
from runtime.progress import IDLE, ON_HOST, position
from runtime.result import Result

MAXIMUM_TABLE_ELEMENTS = 10_000
"""Entries of the table of function pointers."""

_START_SECTION = 8
_FEATURES_OFF = (
    "wasm_threads",
    "wasm_tail_call",
    "wasm_multi_memory",
    "wasm_memory64",
    "wasm_relaxed_simd",
    "wasm_exceptions",
    "wasm_gc",
    "wasm_function_references",
    "wasm_wide_arithmetic",
    "wasm_stack_switching",
)
_CAUSES = {
    wasmtime.TrapCode.STACK_OVERFLOW: "its calls nest too deeply for the stack",
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS: "it reads or writes outside of its memory",
    wasmtime.TrapCode.TABLE_OUT_OF_BOUNDS: "it reads or writes outside of its table",
    wasmtime.TrapCode.INDIRECT_CALL_TO_NULL: "it calls a function that is not there",
    wasmtime.TrapCode.BAD_SIGNATURE: "it calls a function of another type",
    wasmtime.TrapCode.INTEGER_OVERFLOW: "an integer division overflows",
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO: "it divides an integer by zero",
    wasmtime.TrapCode.BAD_CONVERSION_TO_INTEGER: "it converts a float that is no integer's value",
    wasmtime.TrapCode.UNREACHABLE: "it gave itself up (`unreachable`)",
}


class Program:
    """A compiled module, checked against the ABI.  Raises ContainerError."""

    def __init__(
        self, manifest: Manifest, profile: Profile, module: bytes, limits: Limits, cache: ModuleCache
    ):
        self.manifest = manifest
        self.plan = manifest.plans[profile]
        self.limits = limits
        self.engine = wasmtime.Engine(_config(profile, limits))
        _refuse_start(module)
        self.module = _compiled(self.engine, module, f"{profile} {limits.fuel is not None}", cache)
        _check_imports(self.module)
        self._check_exports()

    def _check_exports(self) -> None:
        exports = {export.name: export.type for export in self.module.exports}
        run, memory = exports.get("run"), exports.get("memory")
        if not isinstance(run, wasmtime.FuncType) or _signature(run) != ([], ["i32"]):
            raise ContainerError("the module does not export a function `run() -> i32`")
        if not isinstance(memory, wasmtime.MemoryType):
            raise ContainerError("the module does not export `memory`")
        self._check_memory(memory.limits.min * memory.page_size, memory.page_size)

    def _check_memory(self, declared: int, page_bytes: int) -> None:
        planned = self.plan.linear_memory
        if declared > self.limits.memory_bytes:
            raise LimitError(
                f"the module wants {declared:,} bytes of memory, the limit is {self.limits.memory_bytes:,}"
            )
        if declared > -(-planned // page_bytes) * page_bytes:
            raise ContainerError(
                f"the module wants {declared:,} bytes of memory, its manifest says {planned:,}"
            )
        if self.plan.progress + PROGRESS_BYTES > declared:
            raise ContainerError(
                f"the manifest's progress cell at {self.plan.progress:,} lies outside of the memory, "
                f"{declared:,} bytes"
            )


class Instance:
    """A program with its memory.  After a TrapError it is of no further use."""

    def __init__(self, program: Program) -> None:
        self._manifest = program.manifest
        self._plan = program.plan
        self._fuel = program.limits.fuel
        self._sources = {port: stage.outputs[0].bytes for port, stage in self._manifest.sources.items()}
        self._sinks = {port: kind.bytes for port, kind in self._manifest.output_types.items()}
        self._inputs: dict[int, bytes] = {}
        self._outputs: dict[int, bytes] = {}
        self._store = wasmtime.Store(program.engine)
        self._start(program)

    def _start(self, program: Program) -> None:
        self._store.set_limits(program.limits.memory_bytes, MAXIMUM_TABLE_ELEMENTS, 1, 1, 1)
        if self._fuel is not None:
            self._store.set_fuel(self._fuel)
        try:
            exports = (
                self._linker(program.engine).instantiate(self._store, program.module).exports(self._store)
            )
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise ContainerError(f"the module cannot be set up: {_first_line(error)}") from None
        self._run = cast(wasmtime.Func, exports["run"])
        memory = cast(wasmtime.Memory, exports["memory"])
        # The memory cannot move: it cannot grow, and wasmtime reserves its address range.
        self._memory_bytes = memory.data_len(self._store)
        self._base = ctypes.addressof(memory.data_ptr(self._store).contents)
        self._progress = ctypes.c_uint32.from_address(self.progress_address)
        self._progress.value = IDLE

    @property
    def progress_address(self) -> int:
        """Where the progress cell lies in the address space of this process."""
        return self._base + self._plan.progress

    def run(self, inputs: Mapping[int, bytes]) -> Result:
        """One inference.  `inputs` holds the sample of each source.

        Raises TrapError that names stage and cause, LimitError when the fuel is used up.
        """
        self._inputs = dict(inputs)
        self._outputs = {}
        if self._fuel is not None:
            self._store.set_fuel(self._fuel)
        begin = time.perf_counter_ns()
        code = self._call()
        elapsed_ns = time.perf_counter_ns() - begin
        self._progress.value = IDLE
        if code != 0:
            raise TrapError(self._failure(code))
        self._check_complete()
        used = None if self._fuel is None else self._fuel - self._store.get_fuel()
        return Result(self._outputs, elapsed_ns, used)

    def _call(self) -> int:
        try:
            code: int = self._run(self._store)
        except wasmtime.Trap as trap:
            raise self._trap(trap) from None
        except wasmtime.WasmtimeError as error:
            raise TrapError(f"{self._where()}: {_first_line(error)}") from None
        except RuneError as error:
            # Raised by `_read` or `_write` below; wasmtime carries it through the guest's frames.
            raise type(error)(f"{self._where()}: {error.message}") from None
        return code

    def _linker(self, engine: wasmtime.Engine) -> wasmtime.Linker:
        i32 = wasmtime.ValType.i32
        kind = wasmtime.FuncType([i32(), i32(), i32()], [i32()])
        linker = wasmtime.Linker(engine)
        linker.define_func(IMPORT_MODULE, "read", kind, self._read)
        linker.define_func(IMPORT_MODULE, "write", kind, self._write)
        return linker

    def _read(self, source: int, pointer: int, length: int) -> int:
        with self._on_host():
            address = self._checked("read", self._sources, source, pointer, length)
            sample = self._inputs.pop(source, None)
            if sample is None:
                raise TrapError(f"it reads source {source} twice in one inference")
            ctypes.memmove(address, sample, len(sample))
        return length

    def _write(self, output: int, pointer: int, length: int) -> int:
        with self._on_host():
            address = self._checked("write", self._sinks, output, pointer, length)
            if output in self._outputs:
                raise LimitError(f"it writes output {output} twice in one inference")
            self._outputs[output] = ctypes.string_at(address, self._sinks[output])
        return length

    @contextmanager
    def _on_host(self) -> Iterator[None]:
        """Marks the time for a profiler; the operator at work stands in the cell again afterwards."""
        operator = self._progress.value
        self._progress.value = ON_HOST
        try:
            yield
        finally:
            self._progress.value = operator

    def _checked(self, call: str, sizes: Mapping[int, int], port: int, pointer: int, length: int) -> int:
        """The host address of what the guest points to.  Raises TrapError unless it may be used."""
        pointer, length = pointer & 0xFFFFFFFF, length & 0xFFFFFFFF
        if port not in sizes:
            raise TrapError(f"it calls `{call}` with number {port}, which its manifest does not know")
        if length != sizes[port]:
            raise TrapError(
                f"it calls `{call}` number {port} for {length:,} bytes, the type has {sizes[port]:,}"
            )
        if pointer + length > self._memory_bytes:
            raise TrapError(
                f"it calls `{call}` with {length:,} bytes at {pointer:,}, outside of its memory of "
                f"{self._memory_bytes:,} bytes"
            )
        return self._base + pointer

    def _check_complete(self) -> None:
        missing = sorted(self._sinks.keys() - self._outputs.keys())
        if missing:
            raise TrapError(f"the container finished without writing output {missing[0]}")

    def _trap(self, trap: wasmtime.Trap) -> TrapError:
        if trap.trap_code is wasmtime.TrapCode.OUT_OF_FUEL:
            return LimitError(f"{self._where()}: it used up its fuel of {self._fuel:,}")
        cause = _CAUSES.get(trap.trap_code) if trap.trap_code is not None else None
        return TrapError(f"{self._where()}: {cause or _first_line(trap)}")

    def _where(self) -> str:
        return f"the container was ended {position(self._plan, self._progress.value)}"

    def _failure(self, code: int) -> str:
        number, failure = split_error_code(code)
        stages = self._manifest.stages
        if not 0 <= number < len(stages) or failure not in list(Failure):
            return f"the container returned {code}, which is no error code of its manifest"
        return f"the stage `{stages[number].name}` gave up: {Failure(failure).message}"


def _config(profile: Profile, limits: Limits) -> wasmtime.Config:
    config = wasmtime.Config()
    for feature in _FEATURES_OFF:
        setattr(config, feature, False)
    config.wasm_simd = profile is Profile.SIMD
    config.wasm_custom_page_sizes = profile is Profile.MCU
    config.consume_fuel = limits.fuel is not None
    return config


def _refuse_start(module: bytes) -> None:
    if any(section.identifier == _START_SECTION for section in sections(module)):
        raise ContainerError("the module has a start function: a container's only entry is `run`")


def _compiled(engine: wasmtime.Engine, module: bytes, settings: str, cache: ModuleCache) -> wasmtime.Module:
    key = hashlib.sha256(
        f"{importlib.metadata.version('wasmtime')} {settings}\0".encode() + module
    ).hexdigest()
    code = cache.get(key)
    try:
        if code is not None:
            return wasmtime.Module.deserialize(engine, code)
    except wasmtime.WasmtimeError:
        pass  # Made for another processor or build of wasmtime: compile again.
    try:
        compiled = wasmtime.Module(engine, module)
    except wasmtime.WasmtimeError as error:
        raise ContainerError(f"the module is not valid WebAssembly: {_first_line(error)}") from None
    cache.put(key, bytes(compiled.serialize()))
    return compiled


def _check_imports(module: wasmtime.Module) -> None:
    for imported in module.imports:
        name = f"{imported.module}.{imported.name}"
        if imported.module != IMPORT_MODULE or imported.name not in ("read", "write"):
            raise ContainerError(
                f"the module imports `{name}`; a container may import `rune.read` and `rune.write`"
            )
        kind = imported.type
        if not isinstance(kind, wasmtime.FuncType) or _signature(kind) != (["i32"] * 3, ["i32"]):
            raise ContainerError(f"the module imports `{name}` as something else than (i32, i32, i32) -> i32")


def _signature(kind: wasmtime.FuncType) -> tuple[list[str], list[str]]:
    return [str(item) for item in kind.params], [str(item) for item in kind.results]


def _first_line(error: Exception) -> str:
    """The cause in a wasmtime error: its last `Caused by` line, or its first line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("0: ").removeprefix("wasm trap: ") if lines else "unknown cause"
