"""wasmtime, fenced in: nothing else imports it and no exception of its own gets out.

The module is hostile.  It may import `rune.read` and `rune.write` with their exact types and nothing else;
its memory may not be larger than the manifest says nor grow; every pointer and length it passes is checked.
Its code can still run for ever: that is for the host process to end (runtime/process.py).
"""

from __future__ import annotations

import ctypes
import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import wasmtime

from container.abi import IMPORT_MODULE, PROGRESS_BYTES
from container.errors import ContainerError, LimitError, TrapError
from runtime.cache import ModuleCache
from runtime.interface import Interface, Result
from runtime.progress import IDLE, ON_HOST

MAXIMUM_TABLE_ELEMENTS = 10_000
"""Entries of the table of function pointers."""

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


class Guest:
    """A module with its memory, ready to run.  After a TrapError it is of no further use."""

    def __init__(self, interface: Interface, module: bytes, cache: ModuleCache) -> None:
        """Compile the module, check it against the ABI and set it up.  Raises ContainerError, LimitError."""
        self._interface = interface
        self._inputs: dict[int, bytes] = {}
        self._outputs: dict[int, bytes] = {}
        self._engine = wasmtime.Engine(_config(interface))
        settings = f"{interface.simd} {interface.fuel is not None}"
        self._module = _compiled(self._engine, module, settings, cache)
        _check_imports(self._module)
        self._memory_bytes = _check_exports(self._module, interface)
        self.reset()

    def reset(self) -> None:
        """Set up a new instance, whose memory is as before the first inference.  Raises ContainerError."""
        self._store = wasmtime.Store(self._engine)
        self._store.set_limits(self._memory_bytes, MAXIMUM_TABLE_ELEMENTS, 1, 1, 1)
        self._refuel()
        try:
            exports = self._linker().instantiate(self._store, self._module).exports(self._store)
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise ContainerError(f"the module cannot be set up: {_cause(error)}") from None
        self._run = cast(wasmtime.Func, exports["run"])
        memory = cast(wasmtime.Memory, exports["memory"])
        # The memory cannot move, since it cannot grow.
        self._base = ctypes.addressof(memory.data_ptr(self._store).contents)
        self._progress = ctypes.c_uint32.from_address(self.progress_address)
        self._progress.value = IDLE

    @property
    def progress_address(self) -> int:
        """Where the progress cell lies in the address space of this process."""
        return self._base + self._interface.progress

    @property
    def operator(self) -> int:
        """What stands in the progress cell."""
        return self._progress.value

    def run(self, inputs: Mapping[int, bytes]) -> Result:
        """One inference.  `inputs` holds the sample of each source.

        Raises TrapError that tells the cause, while `operator` still tells the place; LimitError when the
        fuel is used up.
        """
        self._inputs = dict(inputs)
        self._outputs = {}
        self._refuel()
        begin_ns = time.perf_counter_ns()
        code = self._call()
        elapsed_ns = time.perf_counter_ns() - begin_ns
        self._progress.value = IDLE
        fuel = self._interface.fuel
        return Result(
            code, self._outputs, elapsed_ns, None if fuel is None else fuel - self._store.get_fuel()
        )

    def _call(self) -> int:
        # A TrapError of `_read` or `_write` passes through wasmtime and the guest's frames as it is.
        try:
            return cast(int, self._run(self._store))
        except wasmtime.Trap as trap:
            if trap.trap_code is wasmtime.TrapCode.OUT_OF_FUEL:
                raise LimitError(f"it used up its fuel of {self._interface.fuel:,}") from None
            known = _CAUSES.get(trap.trap_code) if trap.trap_code is not None else None
            raise TrapError(known or _cause(trap)) from None
        except wasmtime.WasmtimeError as error:
            raise TrapError(_cause(error)) from None

    def _refuel(self) -> None:
        if self._interface.fuel is not None:
            self._store.set_fuel(self._interface.fuel)

    def _linker(self) -> wasmtime.Linker:
        i32 = wasmtime.ValType.i32
        kind = wasmtime.FuncType([i32(), i32(), i32()], [i32()])
        linker = wasmtime.Linker(self._engine)
        linker.define_func(IMPORT_MODULE, "read", kind, self._read)
        linker.define_func(IMPORT_MODULE, "write", kind, self._write)
        return linker

    def _read(self, source: int, pointer: int, length: int) -> int:
        with self._on_host():
            address = self._checked("read", self._interface.sources, source, pointer, length)
            sample = self._inputs.pop(source, None)
            if sample is None:
                raise TrapError(f"it reads source {source} twice in one inference")
            ctypes.memmove(address, sample, len(sample))
        return length

    def _write(self, output: int, pointer: int, length: int) -> int:
        with self._on_host():
            address = self._checked("write", self._interface.sinks, output, pointer, length)
            if output in self._outputs:
                raise LimitError(f"it writes output {output} twice in one inference")
            self._outputs[output] = ctypes.string_at(address, length)
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


def _config(interface: Interface) -> wasmtime.Config:
    config = wasmtime.Config()
    for feature in _FEATURES_OFF:
        setattr(config, feature, False)
    config.wasm_simd = interface.simd
    config.wasm_custom_page_sizes = not interface.simd
    config.consume_fuel = interface.fuel is not None
    return config


def _compiled(engine: wasmtime.Engine, module: bytes, settings: str, cache: ModuleCache) -> wasmtime.Module:
    key = hashlib.sha256(settings.encode() + b"\0" + module).hexdigest()
    code = cache.get(key)
    try:
        if code is not None:
            return wasmtime.Module.deserialize(engine, code)
    except wasmtime.WasmtimeError:
        pass  # Made by another version of wasmtime, or for another processor: compile again.
    try:
        compiled = wasmtime.Module(engine, module)
    except wasmtime.WasmtimeError as error:
        raise ContainerError(f"the module is not valid WebAssembly: {_cause(error)}") from None
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


def _check_exports(module: wasmtime.Module, interface: Interface) -> int:
    """The bytes of memory that the module declares, and that are all it gets."""
    exports = {export.name: export.type for export in module.exports}
    run, memory = exports.get("run"), exports.get("memory")
    if not isinstance(run, wasmtime.FuncType) or _signature(run) != ([], ["i32"]):
        raise ContainerError("the module does not export a function `run() -> i32`")
    if not isinstance(memory, wasmtime.MemoryType):
        raise ContainerError("the module does not export `memory`")
    declared = memory.limits.min * memory.page_size
    _check_memory(declared, memory.page_size, interface)
    return declared


def _check_memory(declared: int, page_bytes: int, interface: Interface) -> None:
    planned, maximum = interface.planned_memory_bytes, interface.maximum_memory_bytes
    if declared > maximum:
        raise LimitError(f"the module wants {declared:,} bytes of memory, the limit is {maximum:,}")
    if declared > -(-planned // page_bytes) * page_bytes:
        raise ContainerError(f"the module wants {declared:,} bytes of memory, its manifest says {planned:,}")
    if interface.progress + PROGRESS_BYTES > declared:
        raise ContainerError(
            f"the manifest's progress cell at {interface.progress:,} lies outside of the memory, "
            f"{declared:,} bytes"
        )


def _signature(kind: wasmtime.FuncType) -> tuple[list[str], list[str]]:
    return [str(item) for item in kind.params], [str(item) for item in kind.results]


def _cause(error: Exception) -> str:
    """The cause in a wasmtime error: the last line of its `Caused by` list, or all there is."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("0: ").removeprefix("wasm trap: ") if lines else "unknown cause"
