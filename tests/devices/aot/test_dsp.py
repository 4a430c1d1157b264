"""Each DSP helper has one meaning: in Python, as WebAssembly, as plain Thumb and as one instruction."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
import pytest

from builder.c_types import FAILURE_DEFINITIONS
from container import dsp
from container.abi import Profile
from container.sections import Container
from devices.aot.build import build_image
from devices.aot.translate import translate
from runtime.application import Application
from tests.devices.aot.containers import board_with
from tests.devices.aot.guests import of_c, of_text
from tests.devices.aot.harness import INSTANTIATE, RUN, Machine

WORDS = 64
EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0x80008000, 0xFFFFFFFF)


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def halves(word: int) -> tuple[int, int]:
    return signed(word, 16), signed(word >> 16, 16)


def packed(low: int, high: int) -> int:
    return low & 0xFFFF | (high & 0xFFFF) << 16


def clamped(word: int, bits: int) -> int:
    return min(max(signed(word, 32), -(1 << bits - 1)), (1 << bits - 1) - 1)


def products(a: int, b: int) -> int:
    return sum(x * y for x, y in zip(halves(a), halves(b), strict=True))


MEANING: dict[str, Callable[..., int]] = {
    "rune_sxtb16": lambda x: packed(signed(x, 8), signed(x >> 16, 8)),
    "rune_sxtb16_ror8": lambda x: packed(signed(x >> 8, 8), signed(x >> 24, 8)),
    "rune_sxtab16": lambda s, x: packed(halves(s)[0] + signed(x, 8), halves(s)[1] + signed(x >> 16, 8)),
    "rune_sxtab16_ror8": lambda s, x: packed(
        halves(s)[0] + signed(x >> 8, 8), halves(s)[1] + signed(x >> 24, 8)
    ),
    "rune_sadd16": lambda a, b: packed(*(x + y for x, y in zip(halves(a), halves(b), strict=True))),
    "rune_ssub16": lambda a, b: packed(*(x - y for x, y in zip(halves(a), halves(b), strict=True))),
    "rune_smuad": products,
    "rune_smlad": lambda a, b, s: s + products(a, b),
    "rune_smmulr": lambda a, b: (signed(a, 32) * signed(b, 32) + (1 << 31)) >> 32,
    "rune_smmlar": lambda a, b, s: s + ((signed(a, 32) * signed(b, 32) + (1 << 31)) >> 32),
    "rune_ssat8": lambda x: clamped(x, 8),
    "rune_ssat16": lambda x: clamped(x, 16),
    "rune_in_turn": lambda x: x,
    "rune_mla": lambda a, b, s: s + a * b,
    "rune_sxtb": lambda x: signed(x, 8),
    "rune_sxth": lambda x: signed(x, 16),
}
"""From the Arm Architecture Reference Manual's pseudocode."""
QUERY = "rune_core_level"
LEVELS = {"wasm": 1, "cortex-m0": 0, "cortex-m3": 1, "cortex-m4f": 2, "cortex-m7f": 2}
"""Its answer, by where it is asked."""


@cache
def every_helper() -> Container:
    """Reads three arrays of words, and writes what each helper makes of them, in the order of the header."""
    calls = [
        f"result[{number}][i] = {name}({', '.join(f'given[{k}][i]' for k in range(count))});"
        for number, (name, count) in enumerate(dsp.helpers().items())
    ]
    source = f"""
{chr(10).join(FAILURE_DEFINITIONS)}
#include "runtime.h"
#include "dsp.h"
static uint32_t given[3][{WORDS}], result[{len(calls)}][{WORDS}];
volatile int32_t rune_progress __attribute__((section(".data.progress")));
__attribute__((export_name("run"))) int32_t run(void) {{
  rune_progress = 0;
  rune_read(0, given, sizeof given);
  for (int i = 0; i < {WORDS}; i++) {{ {" ".join(calls)} }}
  rune_write(0, result, sizeof result);
  return 0;
}}
"""
    return of_c(source, given=12 * WORDS, taken=4 * WORDS * len(calls))


def samples() -> Sequence[np.ndarray[tuple[int, ...], np.dtype[np.uint32]]]:
    generator = np.random.default_rng(11)
    edges = np.array([[a, b, c] for a in EDGES for b in EDGES for c in EDGES[::4]], "uint32")
    edges = np.resize(edges, (-(-len(edges) // WORDS) * WORDS, 3))
    random = generator.integers(0, 1 << 32, (8 * WORDS, 3), "uint32")
    return [block.T.copy() for block in np.vstack([edges, random]).reshape(-1, WORDS, 3)]


def expected(sample: np.ndarray[tuple[int, ...], np.dtype[np.uint32]], core: str) -> bytes:
    meaning = {**MEANING, QUERY: lambda: LEVELS[core]}
    words = [
        meaning[name](*(int(row[i]) for row in sample[:count])) & 0xFFFFFFFF
        for name, count in dsp.helpers().items()
        for i in range(WORDS)
    ]
    return np.array(words, "uint32").tobytes()


def _sensor(data: bytes, _: int, size: int) -> bytes:
    assert size == len(data)
    return data


def test_the_header_and_this_test_name_the_same_helpers() -> None:
    assert set(dsp.helpers()) == {*MEANING, QUERY}
    assert (dsp.helpers()["rune_smlad"], dsp.helpers()[QUERY]) == (3, 0)


def test_helpers_as_webassembly() -> None:
    with Application(every_helper(), profile=Profile.MCU) as application:
        for sample in samples():
            assert application.infer({"given": sample.tobytes()}).outputs[0] == expected(sample, "wasm")


@pytest.mark.parametrize("core", [core for core in LEVELS if core != "wasm"])
def test_helpers_on_boards(core: str) -> None:
    board = board_with(core)
    machine = Machine(build_image(every_helper(), board), board)
    machine.task(INSTANTIATE)
    written: dict[int, bytes] = {}
    machine.write = written.__setitem__
    for sample in samples():
        machine.read = partial(_sensor, sample.tobytes())
        assert machine.task(RUN) == 0
        assert written[0] == expected(sample, core)


def test_boards_with_a_dsp_use_its_instructions() -> None:
    board = board_with("cortex-m4f")
    body = build_image(every_helper(), board).image.body
    halfwords = {value & 0xFFF0 for (value,) in struct.iter_unpack("<H", body)}
    assert {0xFB20, 0xFB50} <= halfwords  # SMLAD and SMMULR (A7.7.140, A7.7.153)


def test_every_helper_is_exported_by_the_container_and_replaced_in_the_translation() -> None:
    translation = translate(every_helper())
    replaced = {translation.name_of(f.number) for f in translation.functions if f.is_helper}
    assert replaced == set(dsp.helpers())


def test_a_container_without_helpers_has_none() -> None:
    container = of_c(
        'volatile int rune_progress __attribute__((section(".data.progress"))); '
        '__attribute__((export_name("run"))) int run(void) { rune_progress = 0; return 0; }',
        given=4,
        taken=4,
    )
    assert b"rune_s" not in container.modules[Profile.MCU]


def test_a_helper_of_another_type_is_an_ordinary_function() -> None:
    text = """(module (memory (export "memory") 1)
      (func (export "rune_smlad") (param i64) (result i32) i32.const 7)
      (func (export "run") (result i32) (call 0 (i64.const 1))))"""
    translation = translate(of_text(text))
    assert not any(function.is_helper for function in translation.functions)
    assert re.search(r"= fn0\(", translation.functions[1].body)
