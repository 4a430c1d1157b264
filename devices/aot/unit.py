"""The C unit of a translated container: for a board's agent, or for a firmware of one's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from container import dsp
from devices.aot.module import Global
from devices.aot.ports import port_table
from devices.aot.translate import Marks, Translation

RUNTIME = Path(__file__).parent / "runtime"
CONTAINER_ABI = Path(__file__).parent.parent / "firmware" / "core" / "container_abi.h"
ENTRY = "rune_entry"
PORTS = "rune_ports"
RAM = "rune_ram"

_MINIMUM_GAP = 64
"""Fewer zeros than this between initial values are copied with them."""
_DEPTH = """
static uint32_t rune_depth;
#define FUNC_PROLOGUE if (++rune_depth > RUNE_MAXIMUM_DEPTH) RUNE_TRAP(RUNE_CAUSE_STACK)
#define FUNC_EPILOGUE rune_depth--
"""
_NO_DEPTH = """
#define FUNC_PROLOGUE ((void)0)
#define FUNC_EPILOGUE ((void)0)
"""
_INTEGERS = {"u32": "u", "u64": "ull"}


def board_unit(translation: Translation, marks: Marks = "stages") -> str:
    """The unit that becomes a board image; the constants come from a file `constants.bin` beside it."""
    parts = [
        CONTAINER_ABI.read_text("utf-8"),
        "#define RUNE_CHECKS_STACK\n" if translation.recursive else "",
        runtime_file("board.h"),
        runtime_file("numerics.h"),
        _memory(translation, '\n#embed "constants.bin"\n'),
        _mark(translation, marks),
        runtime_file("memory.h"),
        "#define RUNE_HOST_READ(port, place, size) rune_call(RUNE_CALL_READ, port, (u32)(place), size)\n",
        "#define RUNE_HOST_WRITE(port, place, size) rune_call(RUNE_CALL_WRITE, port, (u32)(place), size)\n",
        code(translation),
        port_table(translation.manifest),
        _entry(translation),
    ]
    return "\n".join(parts)


def portable_unit(translation: Translation) -> str:
    """The unit for a firmware of one's own: one file, which any C compiler takes."""
    head = runtime_file("portable.h", name=_comment(translation.manifest.name), digest=translation.digest)
    parts = [
        head,
        "\n".join(_causes()),
        _DEPTH if translation.recursive else _NO_DEPTH,
        runtime_file("numerics.h"),
        _memory(translation, _bytes(translation.constants)),
        "#define RUNE_MARK(operator) ((void)0)\n",
        runtime_file("memory.h"),
        "#define RUNE_HOST_READ rune_on_read\n#define RUNE_HOST_WRITE rune_on_write\n",
        code(translation),
        _portable_entry(translation),
    ]
    return "\n".join(parts)


def _causes() -> list[str]:
    """The causes that the code itself gives, as container_abi.h defines them."""
    text = CONTAINER_ABI.read_text("utf-8")
    return re.findall(r"^#define RUNE_CAUSE_\w+ +(?:\d|1[0-5]) .*$", text, re.MULTILINE)


def runtime_file(file: str, **values: str) -> str:
    """A file of runtime/, with the header of DSP helpers in its place."""
    text = (RUNTIME / file).read_text("utf-8")
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text.replace('#include "dsp_helpers.h"\n', dsp.HEADER.read_text("utf-8"))


def _comment(text: str) -> str:
    """Any text, as it may stand in a comment."""
    return "".join(letter if letter.isalnum() or letter in " ._-" else "?" for letter in text)


def _memory(translation: Translation, constants: str) -> str:
    """The two sides of the linear memory.  An array may not be empty: one that nothing reads is dropped."""
    module = translation.module
    constant_bytes = len(translation.constants)
    return f"""\
#define RUNE_MEMORY_BYTES {module.memory_bytes}u
#define RUNE_MEMORY_PAGES {module.memory_bytes // module.page_bytes}u
#define RUNE_CONSTANT_BYTES {constant_bytes}u
#define RUNE_RAM_START {translation.ram_start}u
#define RUNE_PROGRESS {translation.plan.progress}u
#define RUNE_ALIGNED __attribute__((aligned(16)))
static const u8 rune_constants[{max(constant_bytes, 1)}] RUNE_ALIGNED = {{{constants or "0"}}};
static u8 rune_ram[{len(translation.ram)}] RUNE_ALIGNED __attribute__((used));
"""


def _mark(translation: Translation, marks: Marks) -> str:
    cases = " ".join(f"case {number}:" for number in translation.marked(marks))
    return f"""\
static inline __attribute__((always_inline)) void rune_mark(u32 operator) {{
  switch (operator) {{
    {cases} rune_call(RUNE_CALL_MARK, operator, 0, 0);
  }}
}}
#define RUNE_MARK(operator) rune_mark(operator)
"""


def code(translation: Translation) -> str:
    """Globals, table and functions."""
    functions = translation.functions
    lines = [f"static {value.type} g{number};" for number, value in enumerate(translation.module.globals)]
    lines += [runtime_file("calls.h"), *(function.prototype for function in functions)]
    if any(function.calls_indirectly for function in functions):
        lines += [*_table(translation), runtime_file("indirect.h")]
    if any(function.is_helper for function in functions):
        lines += [runtime_file("instructions.h")]
    return "\n".join([*lines, *(function.definition for function in functions)])


def _table(translation: Translation) -> Iterator[str]:
    module = translation.module
    places = [None if n is None else module.types.index(module.type_of(n)) + 1 for n in module.table]
    types = ",".join(str(place or 0) for place in places)
    functions = ",".join("0" if number is None else _pointer(translation, number) for number in module.table)
    yield f"#define RUNE_TABLE_SIZE {len(places)}u"
    yield f"static const u16 rune_types[] = {{{types or '0'}}};"
    yield "typedef void (*rune_function)(void);"
    yield f"static const rune_function rune_functions[] = {{{functions or '0'}}};"


def _pointer(translation: Translation, function: int) -> str:
    imports = translation.module.imports
    return f"(rune_function){f'rune_{imports[function]}' if function < len(imports) else f'fn{function}'}"


def presets(translation: Translation) -> Iterator[tuple[int, bytes]]:
    """What instantiating copies to RAM, which is zero before: offsets in RAM, and bytes."""
    for found in re.finditer(rb"[^\0](?:.{0,%d}[^\0])*" % _MINIMUM_GAP, translation.ram, re.DOTALL):
        yield found.start(), found[0]


def _instantiate(translation: Translation) -> str:
    lines, tables = [], []
    for number, (offset, data) in enumerate(presets(translation)):
        tables.append(f"static const u8 rune_preset_{number}[] = {{{_bytes(data)}}};")
        lines.append(f"  __builtin_memcpy(rune_ram + {offset}, rune_preset_{number}, {len(data)});")
    lines += [f"  g{number} = {literal(value)};" for number, value in enumerate(translation.module.globals)]
    return "\n".join([*tables, "static void rune_initialize(void) {", *lines, "}\n"])


def literal(value: Global) -> str:
    """The initial value of a global, in C."""
    if value.type in _INTEGERS:
        return f"{value.bits}{_INTEGERS[value.type]}"
    if value.type == "f32":
        return f"f32_reinterpret_i32({value.bits}u)"
    return f"f64_reinterpret_i64({value.bits}ull)"


def _bytes(data: bytes) -> str:
    return ",".join(map(str, data))


def _entry(translation: Translation) -> str:
    return f"""\
{_instantiate(translation)}
__attribute__((used)) void {ENTRY}(uint32_t task) {{
  uint32_t code = 0;
  if (task == RUNE_TASK_INSTANTIATE) {{
    rune_initialize();
  }} else {{
    code = fn{translation.module.exports["run"]}();
  }}
  rune_call(RUNE_CALL_FINISH, code, 0, 0);
  __builtin_unreachable();
}}
"""


def _portable_entry(translation: Translation) -> str:
    return f"""\
{_instantiate(translation)}
void rune_instantiate(void) {{
  __builtin_memset(rune_ram, 0, sizeof rune_ram);
  rune_initialize();
}}

int32_t rune_run(void) {{
  {"rune_depth = 0;" if translation.recursive else ""}
  return (int32_t)fn{translation.module.exports["run"]}();
}}
"""
