"""What the translation must know of a WebAssembly module, and which modules it takes.

Containers come from anywhere: whatever our ABI does not have is refused here, and no name of the module's
goes any further.  (WebAssembly core specification, "Binary Format"; page sizes by the custom-page-sizes
proposal.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from container.abi import IMPORT_MODULE, MAXIMUM_MEMORY_BYTES
from container.errors import ContainerError
from container.wasm import CUSTOM, EMPTY_MODULE, START, Section, leb128, read_leb128, sections

TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT = range(1, 8)
ELEMENT, CODE, DATA, DATA_COUNT = 9, 10, 11, 12

VALUE_TYPES = {0x7F: "u32", 0x7E: "u64", 0x7D: "f32", 0x7C: "f64"}
"""WebAssembly's number types, as the C that wasm2c writes calls them."""
MAXIMUM_CODE_BYTES = 8 << 20
"""More machine code than any board has flash for."""
MAXIMUM_ENTRIES = 1 << 16
"""Of one section, and of the table."""

_ABI_FUNCTIONS = ("read", "write")
_MAXIMUM_NAME = 100
_TRANSLATED = (TYPE, IMPORT, FUNCTION, TABLE, GLOBAL, CODE)

T = TypeVar("T")


@dataclass(frozen=True)
class FunctionType:
    """Value types in C."""

    parameters: tuple[str, ...]
    results: tuple[str, ...]


RUN_TYPE = FunctionType((), ("u32",))
HOST_TYPE = FunctionType(("u32", "u32", "u32"), ("u32",))


@dataclass(frozen=True)
class Global:
    type: str
    bits: int
    """The initial value, as the bits of its type."""


@dataclass
class Module:
    """A module that was looked through; functions are known by their number, imports first."""

    types: list[FunctionType] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    """`read` or `write`, for each imported function."""
    functions: list[int] = field(default_factory=list)
    """The type's number of each function, imports included."""
    table: list[int | None] = field(default_factory=list)
    """The function in each place of the table."""
    memory_bytes: int = 0
    page_bytes: int = 1
    globals: list[Global] = field(default_factory=list)
    exports: dict[str, int] = field(default_factory=dict)
    """The number of each exported function."""
    data: list[tuple[int, bytes]] = field(default_factory=list)
    """Address and bytes of each data segment."""
    names: dict[int, str] = field(default_factory=dict)
    """What the module calls its functions; for people's eyes alone."""
    code_only: bytes = EMPTY_MODULE
    """The same module without exports, data, elements and custom sections; its memory has pages of one byte,
    for which wasm2c writes the one form of accesses that is known here."""

    def type_of(self, function: int) -> FunctionType:
        return self.types[self.functions[function]]

    def initial_memory(self) -> bytearray:
        """The whole linear memory as it is when the module has been instantiated."""
        memory = bytearray(self.memory_bytes)
        for address, data in self.data:
            if address + len(data) > len(memory):
                raise ContainerError(f"a data segment of {len(data):,} bytes at {address:#x} is too long")
            memory[address : address + len(data)] = data
        return memory


def parse(wasm: bytes) -> Module:
    """Look a module through.  Raises ContainerError for what is damaged or what our ABI does not have."""
    module, memories, tables = Module(), 0, 0
    kept = [EMPTY_MODULE]
    for section in sections(wasm):
        reader = _Reader(section)
        memories += section.identifier == MEMORY
        tables += section.identifier == TABLE
        if section.identifier in _READERS:
            _READERS[section.identifier](module, reader)
            reader.finish()
        elif section.identifier == CUSTOM:
            _read_custom(module, reader)
        elif section.identifier not in (CODE, DATA_COUNT):
            raise ContainerError(f"the module has a section {section.identifier}, which no container has")
        if section.identifier == CODE and len(section.payload) > MAXIMUM_CODE_BYTES:
            raise ContainerError(
                f"the module has {len(section.payload):,} bytes of code: no board can hold it"
            )
        if section.identifier == MEMORY:
            kept.append(_memory_section(module.memory_bytes))
        elif section.identifier in _TRANSLATED:
            kept.append(wasm[section.start : section.end])
    if memories != 1 or tables > 1:
        raise ContainerError("expected one section for memory, and at most one for a table")
    module.code_only = b"".join(kept)
    _check_run(module)
    return module


def _memory_section(size: int) -> bytes:
    """One memory with pages of 2^0 bytes."""
    contents = b"\x01\x08" + leb128(size) + b"\x00"
    return bytes([MEMORY]) + leb128(len(contents)) + contents


def _check_run(module: Module) -> None:
    run = module.exports.get("run")
    if run is None or run < len(module.imports) or module.type_of(run) != RUN_TYPE:
        raise ContainerError("the module exports no function `run() -> i32`")


class _Reader:
    """Takes a section's contents apart, never beyond its end."""

    def __init__(self, section: Section) -> None:
        self._section = section
        self._data = section.payload
        self._position = 0

    @property
    def name(self) -> str:
        """Of a custom section."""
        return self._section.name

    @property
    def left(self) -> int:
        return len(self._data) - self._position

    def byte(self) -> int:
        return self.bytes(1)[0]

    def bytes(self, count: int) -> bytes:
        if count > self.left:
            raise ContainerError(f"section {self._section.identifier} of the module is cut short")
        self._position += count
        return self._data[self._position - count : self._position]

    def number(self) -> int:
        value, self._position = read_leb128(self._data, self._position, len(self._data))
        return value

    def signed(self, bits: int) -> int:
        """A signed LEB128 as its two's complement of that many bits."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > bits:
                raise ContainerError("the module has a number that is too long")
        if byte & 0x40:
            value -= 1 << shift
        return value & (1 << bits) - 1

    def text(self) -> str:
        return self.bytes(self.number()).decode("utf-8", "replace")

    def vector(self, read: Callable[[], T]) -> list[T]:
        count = self.number()
        if count > min(MAXIMUM_ENTRIES, self.left):
            raise ContainerError(f"section {self._section.identifier} of the module claims {count:,} entries")
        return [read() for _ in range(count)]

    def index(self, below: int) -> int:
        """A number that must lie below a bound."""
        value = self.number()
        if value >= below:
            raise ContainerError(
                f"section {self._section.identifier} of the module points at a missing entry"
            )
        return value

    def finish(self) -> None:
        if self.left:
            raise ContainerError(f"section {self._section.identifier} of the module is too long")


def _read_types(module: Module, reader: _Reader) -> None:
    def one() -> FunctionType:
        if reader.byte() != 0x60:
            raise ContainerError("the module has a type that is no function's")
        parameters, results = (
            reader.vector(lambda: _value_type(reader)),
            reader.vector(lambda: _value_type(reader)),
        )
        if len(results) > 1:
            raise ContainerError("a function of the module returns several values: boards have no such thing")
        return FunctionType(tuple(parameters), tuple(results))

    module.types += reader.vector(one)


def _value_type(reader: _Reader) -> str:
    code = reader.byte()
    if code not in VALUE_TYPES:
        what = "SIMD vectors" if code == 0x7B else f"values of type {code:#04x}"
        raise ContainerError(
            f"the module uses {what}, which boards do not have",
            hint="build the container with `--profile mcu`",
        )
    return VALUE_TYPES[code]


def _read_imports(module: Module, reader: _Reader) -> None:
    def one() -> None:
        origin, name, kind = reader.text(), reader.text(), reader.byte()
        if kind != 0 or origin != IMPORT_MODULE or name not in _ABI_FUNCTIONS:
            shown = f"{origin}.{name}"[:_MAXIMUM_NAME]
            raise ContainerError(
                f"the module imports {shown!r}; containers import rune.read and rune.write alone"
            )
        number = reader.index(len(module.types))
        if module.types[number] != HOST_TYPE:
            raise ContainerError(f"the module imports `{origin}.{name}` with another type than the ABI's")
        module.imports.append(name)
        module.functions.append(number)

    reader.vector(one)


def _read_functions(module: Module, reader: _Reader) -> None:
    module.functions += reader.vector(lambda: reader.index(len(module.types)))


def _read_table(module: Module, reader: _Reader) -> None:
    def one() -> None:
        if reader.byte() != 0x70:
            raise ContainerError("the module has a table of something else than functions")
        flags, size = reader.byte(), reader.number()
        if flags > 1 or size > MAXIMUM_ENTRIES:
            raise ContainerError(
                f"the module has a table of {size:,} functions, or one of a kind boards lack"
            )
        if flags == 1:
            reader.number()
        module.table = [None] * size

    if len(reader.vector(one)) > 1:
        raise ContainerError("the module has several tables: boards have one")


def _read_memory(module: Module, reader: _Reader) -> None:
    def one() -> None:
        flags, pages = reader.byte(), reader.number()
        if flags & ~0b1001:
            raise ContainerError("the module's memory is shared or of 64 bits: boards have no such thing")
        if flags & 1:
            reader.number()
        page_bits = reader.index(17) if flags & 8 else 16
        module.page_bytes = 1 << page_bits
        module.memory_bytes = pages << page_bits
        if module.memory_bytes > MAXIMUM_MEMORY_BYTES:
            raise ContainerError(
                f"the module wants {module.memory_bytes:,} bytes of memory: no board has them"
            )

    if len(reader.vector(one)) != 1:
        raise ContainerError("the module has not exactly one memory")


def _read_globals(module: Module, reader: _Reader) -> None:
    def one() -> Global:
        kind = _value_type(reader)
        reader.byte()
        found, bits = _constant(reader)
        if found != kind:
            raise ContainerError("a global of the module starts with a value of another type")
        return Global(kind, bits)

    module.globals += reader.vector(one)


def _constant(reader: _Reader) -> tuple[str, int]:
    """Type and bits of a constant expression of a single constant."""
    code = reader.byte()
    if code in (0x41, 0x42):
        kind = "u32" if code == 0x41 else "u64"
        bits = reader.signed(32 if code == 0x41 else 64)
    elif code in (0x43, 0x44):
        kind = "f32" if code == 0x43 else "f64"
        bits = int.from_bytes(reader.bytes(4 if code == 0x43 else 8), "little")
    else:
        raise ContainerError(f"the module computes an initial value with instruction {code:#04x}")
    if reader.byte() != 0x0B:
        raise ContainerError("the module has an initial value that is no single constant")
    return kind, bits


def _address(reader: _Reader) -> int:
    kind, bits = _constant(reader)
    if kind != "u32":
        raise ContainerError("the module has an address that is no i32")
    return bits


def _read_exports(module: Module, reader: _Reader) -> None:
    def one() -> None:
        name, kind = reader.text(), reader.byte()
        if kind == 0:
            module.exports[name] = reader.index(len(module.functions))
        else:
            reader.number()

    reader.vector(one)


def _read_start(module: Module, reader: _Reader) -> None:
    raise ContainerError("the module has a start function, which containers do not have")


def _read_elements(module: Module, reader: _Reader) -> None:
    def one() -> None:
        kind = reader.number()
        if kind not in (0, 2) or (kind == 2 and reader.number() != 0):
            raise ContainerError("the module fills a table in a way that boards do not have")
        start = _address(reader)
        if kind == 2 and reader.byte() != 0:
            raise ContainerError("the module fills a table with something else than functions")
        functions = reader.vector(lambda: reader.index(len(module.functions)))
        if start + len(functions) > len(module.table):
            raise ContainerError("the module fills its table beyond the end")
        module.table[start : start + len(functions)] = functions

    reader.vector(one)


def _read_data(module: Module, reader: _Reader) -> None:
    def one() -> None:
        kind = reader.number()
        if kind not in (0, 2) or (kind == 2 and reader.number() != 0):
            raise ContainerError("the module has a data segment of a kind that boards do not have")
        address = _address(reader)
        module.data.append((address, reader.bytes(reader.number())))

    reader.vector(one)


def _read_custom(module: Module, reader: _Reader) -> None:
    """The function names of section `name`; one that is damaged has none."""
    if reader.name != "name":
        return
    try:
        while reader.left:
            kind, size = reader.byte(), reader.number()
            part = _Reader(Section(CUSTOM, "name", 0, reader.bytes(size), 0))
            if kind == 1:
                module.names.update(part.vector(lambda: (part.number(), part.text())))  # noqa: B023
    except ContainerError:
        module.names.clear()


_READERS: dict[int, Callable[[Module, _Reader], None]] = {
    TYPE: _read_types,
    IMPORT: _read_imports,
    FUNCTION: _read_functions,
    TABLE: _read_table,
    MEMORY: _read_memory,
    GLOBAL: _read_globals,
    EXPORT: _read_exports,
    START: _read_start,
    ELEMENT: _read_elements,
    DATA: _read_data,
}
