"""wasm2c's C, made ours: its functions alone, free of its instance, its memory and its tables.

wasm2c writes C for an instance that is passed around and a memory that may move, with 64-bit addresses.  A
board has one instance at fixed addresses: functions `fn3` with the parameters of the WebAssembly function and
nothing else, globals `g0`, loads `i32_load(base, offset)`.  Clang then sees constants where wasm2c had
pointers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from container.errors import ContainerError
from devices.aot.module import Module
from devices.aot.wasm2c import MODULE_NAME

_INSTANCE = rf"w2c_{MODULE_NAME}\*(?: instance)?"
_REWRITES = tuple(
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        (r"^  (?:uint8_t\* const|uint64_t|\(void\))\s?\(?wasm_rt_local_memory_.*\n", ""),
        (rf"\({_INSTANCE}\)", "(void)"),
        (rf"\({_INSTANCE}, ", "("),
        (rf"\bw2c_{MODULE_NAME}_f(\d+)\(instance(?:, )?", r"fn\1("),
        (rf"\bw2c_{MODULE_NAME}_f(\d+)\b", r"fn\1"),
        (r"\binstance->w2c_g(\d+)\b", r"g\1"),
        (r"\bwasm_rt_local_memory_base, wasm_rt_local_memory_size, &instance->w2c_M0, ", ""),
        (r"\(u64\)\((var_\w+)\) \+ (\d+u)\b", r"\1, \2"),
        (r"\(u64\)\((var_\w+)\)(?=[,)])", r"\1, 0u"),
        (r"\bmemory_(copy|fill)\((?:&instance->w2c_M0, )+", r"memory_\1("),
        (r"\bwasm_rt_grow_memory\(&instance->w2c_M0, ", "memory_grow("),
        (r"\binstance->w2c_M0\.pages\b", "RUNE_MEMORY_PAGES"),
        (r"\bw2c_rune_(read|write)\(instance->w2c_rune_instance, ", r"rune_\1("),
        (
            (
                r"\bCALL_INDIRECT\(instance->w2c_T0, (\w+ \(\*\)\()void\*(?:, )?([\w, ]*)\), "
                rf"w2c_{MODULE_NAME}_t(\d+), (\w+), instance->w2c_T0\.data\[\w+\]\.module_instance"
            ),
            r"CALL_INDIRECT(\1\2), \3, \4",
        ),
        (r"\(\*\)\(\)", "(*)(void)"),
    )
)
_FUNCTION = re.compile(
    rf"^(?P<head>\w+ w2c_{MODULE_NAME}_f(?P<number>\d+)\({_INSTANCE}[^;{{}}]*\)) \{{\n(?P<body>.*?)^\}}\n",
    re.MULTILINE | re.DOTALL,
)
_CALL = re.compile(r"\b([A-Za-z_]\w*)\(")
_FOREIGN = re.compile(r"\b(?:instance|wasm_rt_\w*|w2c_\w*|v128)\b")
_KEYWORDS = {"if", "switch", "return", "goto"}
_TYPES = {"u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64"}
_ACCESSES = {
    *(f"{kind}_{access}" for kind in ("i32", "i64", "f32", "f64") for access in ("load", "store")),
    *(f"{kind}_load{bits}_{sign}" for kind in ("i32", "i64") for bits in (8, 16) for sign in "su"),
    *(f"{kind}_store{bits}" for kind in ("i32", "i64") for bits in (8, 16)),
    *("i64_load32_s", "i64_load32_u", "i64_store32", "memory_copy", "memory_fill", "memory_grow"),
}
_NUMERICS = {
    *(
        f"I{bits}_{name}"
        for bits in (32, 64)
        for name in ("CLZ", "CTZ", "POPCNT", "ROTL", "ROTR", "DIV_S", "REM_S")
    ),
    *(
        f"I{bits}_TRUNC_{saturating}{sign}_F{width}"
        for bits in (32, 64)
        for width in (32, 64)
        for sign in "SU"
        for saturating in ("", "SAT_")
    ),
    *("DIV_U", "REM_U", "FMIN", "FMAX", "copysign", "copysignf"),
    *("i32_reinterpret_f32", "f32_reinterpret_i32", "i64_reinterpret_f64", "f64_reinterpret_i64"),
    *(
        f"wasm_{name}{suffix}"
        for name in ("quiet", "floor", "ceil", "trunc", "nearbyint", "fabs", "sqrt")
        for suffix in ("", "f")
    ),
}
OPERATIONS = {*_ACCESSES, *_NUMERICS, "CALL_INDIRECT", "rune_read", "rune_write"}
"""What the files in runtime/ have, of all that wasm2c may write."""


@dataclass(frozen=True)
class Function:
    """A WebAssembly function as C."""

    number: int
    head: str
    body: str
    calls: frozenset[int]
    """The functions that it calls by name."""
    calls_indirectly: bool
    is_helper: bool = False
    """Whether it stands for a DSP helper."""

    @property
    def prototype(self) -> str:
        return f"static {'inline ' if self.is_helper else ''}{self.head};"

    @property
    def definition(self) -> str:
        return f"static {self.head} {{\n{self.body}}}\n"


def functions_of(text: str, module: Module) -> list[Function]:
    """Every function in wasm2c's output, rewritten.

    Raises ContainerError for a module that needs other operations than OPERATIONS.
    """
    functions = [_function(found) for found in _FUNCTION.finditer(text)]
    expected = range(len(module.imports), len(module.functions))
    if [function.number for function in functions] != list(expected):
        raise ContainerError(
            f"wasm2c gave {len(functions)} functions for a module that has "
            f"{len(expected)}: is it a version that this Rune does not know?"
        )
    return [_with_type_numbers(function, module) for function in functions]


def _function(found: re.Match[str]) -> Function:
    head, body = _rewritten(found["head"]), _rewritten(found["body"])
    number = int(found["number"])
    called = set(_CALL.findall(body))
    known = OPERATIONS | _KEYWORDS | _TYPES
    unknown = {name for name in called - known if not re.fullmatch(r"fn\d+", name)}
    unknown |= set(_FOREIGN.findall(head + body))
    if unknown:
        raise ContainerError(
            f"function {number} of the module uses what boards do not have: {', '.join(sorted(unknown)[:5])}"
        )
    calls = frozenset(int(name[2:]) for name in called if re.fullmatch(r"fn\d+", name))
    return Function(number, head, body, calls, "CALL_INDIRECT" in called)


def _rewritten(text: str) -> str:
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text


def _with_type_numbers(function: Function, module: Module) -> Function:
    """Indirect calls compare types by what they are: equal ones get one number."""
    if not function.calls_indirectly:
        return function
    body = re.sub(
        r"(CALL_INDIRECT\([^;]*?\), )(\d+)(, var_)",
        lambda found: f"{found[1]}{module.types.index(module.types[int(found[2])])}{found[3]}",
        function.body,
    )
    return replace(function, body=body)


def may_recurse(functions: list[Function]) -> bool:
    """Whether a call may come back to a function that is at work: calls in a circle, or indirect ones."""
    if any(function.calls_indirectly for function in functions):
        return True
    remaining = {function.number: set(function.calls) for function in functions}
    while True:
        leaves = [number for number, calls in remaining.items() if not calls & remaining.keys()]
        if not leaves:
            return bool(remaining)
        for number in leaves:
            del remaining[number]
