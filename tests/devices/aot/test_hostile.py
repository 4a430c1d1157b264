"""Modules that nobody of ours made: what the ABI lacks is refused, and a trap has its cause on every core."""

from __future__ import annotations

import struct
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from container.abi import Profile
from container.errors import ContainerError, TrapError
from container.sections import Container
from devices.aot.build import RECURSION_BYTES, Build, build_image
from devices.aot.module import parse
from devices.aot.translate import translate
from devices.aot.unit import board_unit
from runtime.application import Application
from tests.devices.aot.containers import board_with
from tests.devices.aot.guests import of_text
from tests.devices.aot.harness import INSTANTIATE, RUN, Machine, Trapped

MEMORY, OVERFLOW, DIVISION, CONVERSION, UNREACHABLE, INDIRECT, STACK = range(1, 8)
"""The causes of container_abi.h."""
CORES = ("cortex-m0", "cortex-m4f")

LOADS = (
    *(f"i32.load{width}" for width in ("", "8_s", "8_u", "16_s", "16_u")),
    *(f"i64.load{width}" for width in ("", "8_s", "8_u", "16_s", "16_u", "32_s", "32_u")),
    *("f32.load", "f64.load"),
)
STORES = (
    *("i32.store", "i32.store8", "i32.store16", "i64.store", "i64.store8", "i64.store16", "i64.store32"),
    *("f32.store", "f64.store"),
)
SIZES = {"8": 1, "16": 2, "32": 4}


def width(access: str) -> int:
    """Bytes that a load or store touches."""
    kind, operation = access.split(".")
    digits = "".join(letter for letter in operation.split("_")[0] if letter.isdigit())
    return SIZES.get(digits, int(kind[1:]) // 8)


def module(body: str, *, before: str = "", given: int = 4) -> str:
    """A module whose `run` is `body`, which reads `given` bytes of the host's to address 1000 first."""
    return f"""(module
      (import "rune" "read" (func $read (param i32 i32 i32) (result i32)))
      (import "rune" "write" (func $write (param i32 i32 i32) (result i32)))
      (memory (export "memory") 1) {before}
      (func (export "run") (result i32)
        (drop (call $read (i32.const 0) (i32.const 1000) (i32.const {given})))
        {body}
        i32.const 0))"""


GIVEN = "(i32.load (i32.const 1000))"
"""What the host gave: nothing that a compiler knows."""


class Guest:
    """A container on a core; `run(x)` performs an inference with x."""

    def __init__(self, container: Container, core: str) -> None:
        board = board_with(core)
        self.build: Build = build_image(container, board)
        self.written: dict[int, bytes] = {}
        self._machine = Machine(self.build, board, write=self.written.__setitem__)
        self._machine.task(INSTANTIATE)

    def run(self, value: int) -> int:
        self._machine.read = lambda _, size: value.to_bytes(8, "little")[:size]
        return self._machine.task(RUN)

    def cause(self, value: int = 0) -> int:
        """The cause of the trap; 0 where there is none."""
        try:
            self.run(value)
        except Trapped as trap:
            return trap.cause if self.build.function_at(trap.pc) == "run" else -1
        return 0


TRAPS = [
    (f"(drop (i32.div_s {GIVEN} (i32.const -1)))", 0x80000000, OVERFLOW),
    (f"(drop (i32.div_u (i32.const 1) {GIVEN}))", 0, DIVISION),
    (f"(drop (i32.rem_s (i32.const 1) {GIVEN}))", 0, DIVISION),
    (f"(drop (i32.rem_s {GIVEN} (i32.const -1)))", 0x80000000, 0),
    (f"(drop (i64.div_u (i64.const 1) (i64.extend_i32_u {GIVEN})))", 0, DIVISION),
    (f"(drop (i64.rem_u (i64.const 1) (i64.extend_i32_u {GIVEN})))", 0, DIVISION),
    (f"(drop (i32.trunc_f32_s (f32.reinterpret_i32 {GIVEN})))", 0x7FC00000, CONVERSION),
    (f"(drop (i32.trunc_f32_s (f32.reinterpret_i32 {GIVEN})))", 0x4F000000, OVERFLOW),
    (f"(drop (i32.trunc_f32_s (f32.reinterpret_i32 {GIVEN})))", 0xCF000000, 0),
    (f"(drop (i32.trunc_f32_u (f32.reinterpret_i32 {GIVEN})))", 0xBF800000, OVERFLOW),
    (f"(drop (i64.trunc_f64_s (f64.promote_f32 (f32.reinterpret_i32 {GIVEN}))))", 0x5F000000, OVERFLOW),
    (f"(drop (i32.trunc_sat_f32_s (f32.reinterpret_i32 {GIVEN})))", 0x7FC00000, 0),
    ("unreachable", 0, UNREACHABLE),
    (f"(drop (call $read (i32.const 0) {GIVEN} (i32.const 4)))", 65533, MEMORY),
    (f"(drop (call $write (i32.const 0) {GIVEN} (i32.const 4)))", 0xFFFFFFFE, MEMORY),
    (f"(drop (call $write (i32.const 0) (i32.const 8) {GIVEN}))", 0xFFFFFFFC, MEMORY),
    (f"(memory.fill {GIVEN} (i32.const 1) (i32.const 2))", 65535, MEMORY),
    (f"(memory.copy {GIVEN} (i32.const 1) (i32.const 2))", 0xFFFFFFFF, MEMORY),
    (f"(memory.copy (i32.const 1) {GIVEN} (i32.const 2))", 65535, MEMORY),
]
"""Instructions, what the host gives, and the cause of their trap, 0 for none."""


@pytest.mark.parametrize("core", CORES)
def test_traps_and_their_causes(core: str) -> None:
    cases = [
        f"(if (i32.eq (i32.load (i32.const 1004)) (i32.const {number})) (then {body}))"
        for number, (body, _, _) in enumerate(TRAPS)
    ]
    guest = Guest(of_text(module(" ".join(cases), given=8), given=8), core)
    for number, (body, value, cause) in enumerate(TRAPS):
        assert guest.cause(value | number << 32) == cause, body


@pytest.mark.parametrize("core", CORES)
def test_indirect_calls(core: str) -> None:
    before = """(type $one (func (param i32) (result i32))) (table 4 funcref) (elem (i32.const 0) $inc $none)
      (func $inc (type $one) (i32.add (local.get 0) (i32.const 1))) (func $none)"""
    guest = Guest(
        of_text(module(f"(return (call_indirect (type $one) (i32.const 41) {GIVEN}))", before=before)), core
    )
    assert guest.run(0) == 42
    assert [guest.cause(place) for place in (1, 2, 3, 4, 0xFFFFFFFF)] == [INDIRECT] * 5


@pytest.mark.parametrize("core", CORES)
def test_recursion_without_end_stops_within_the_stack(core: str) -> None:
    before = """(func $deeper (param i32) (result i32)
      (i32.rotl (call $deeper (i32.add (local.get 0) (i32.load (i32.const 1000)))) (local.get 0)))"""
    guest = Guest(of_text(module("(return (call $deeper (i32.const 1)))", before=before)), core)
    for _ in range(2):
        with pytest.raises(Trapped) as trap:
            guest.run(3)
        assert trap.value.cause == STACK
    assert RECURSION_BYTES < guest.build.stack_bytes < RECURSION_BYTES + 400


@pytest.mark.parametrize("core", CORES)
def test_memory_does_not_grow(core: str) -> None:
    body = f"(return (i32.add (memory.size) (i32.shl (memory.grow {GIVEN}) (i32.const 8))))"
    guest = Guest(of_text(module(body)), core)
    assert guest.run(0) == 1 + (1 << 8)
    assert guest.run(1) == 1 - (1 << 8)


OFFSETS = (0, 1, 7, 130, 509, 0xFFFFFFFE)
ACCESSES = [(access, offset) for access in (*LOADS, *STORES) for offset in OFFSETS]
CONSTANT_BYTES, MEMORY_BYTES = 128, 512
"""Of the module below: its constants, and with them all of its memory."""
SEEN_BYTES = MEMORY_BYTES - CONSTANT_BYTES - 4
"""All of its RAM but the progress cell, in which the host notes that it is at work."""


def every_access() -> Container:
    """Reads (a, b, v), performs access number `a` at base `b` with the value `v`, and writes its RAM."""
    cases = []
    for number, (access, offset) in enumerate(ACCESSES):
        kind = access.split(".")[0]
        given = f"({kind}.load (i32.const 392))"
        place = f"{access} offset={offset} (local.get 1)"
        code = f"({place} {given})" if "store" in access else f"({kind}.store (i32.const 400) ({place}))"
        cases.append(f"(if (i32.eq (local.get 0) (i32.const {number})) (then {code}))")
    data = "".join(f"\\{(7 * n + 131) % 256:02x}" for n in range(MEMORY_BYTES - 128))
    return of_text(
        f"""(module
          (import "rune" "read" (func $read (param i32 i32 i32) (result i32)))
          (import "rune" "write" (func $write (param i32 i32 i32) (result i32)))
          (memory (export "memory") {MEMORY_BYTES} {MEMORY_BYTES} (pagesize 1))
          (data (i32.const 16) "{data}")
          (func (export "run") (result i32) (local i32 i32)
            (drop (call $read (i32.const 0) (i32.const 384) (i32.const 16)))
            (local.set 0 (i32.load (i32.const 384)))
            (local.set 1 (i32.load (i32.const 388)))
            (i64.store (i32.const 400) (i64.const 0))
            (i32.store (i32.const {MEMORY_BYTES - 4}) (i32.const 0))
            {" ".join(cases)}
            (call $write (i32.const 0) (i32.const {CONSTANT_BYTES}) (i32.const {SEEN_BYTES}))
            drop i32.const 0))""",
        read_only=CONSTANT_BYTES - 16,
        memory=MEMORY_BYTES,
        given=16,
        taken=SEEN_BYTES,
    )


def means(access: str, address: int) -> bool:
    """Whether an access inside of the memory is allowed: a load in the constants, or any behind them."""
    end = address + width(access)
    return address >= CONSTANT_BYTES or (end <= CONSTANT_BYTES and "load" in access)


class Pair:
    """The module above on a core and on this machine."""

    def __init__(self, core: str) -> None:
        container = every_access()
        self.guest = AccessGuest(container, core)
        self._host = Application(container, profile=Profile.MCU)

    def compare(self, number: int, base: int, value: int) -> None:
        self.guest.reset()
        self._host.reset()
        access, offset = ACCESSES[number]
        address, sample = base + offset, struct.pack("<IIQ", number, base, value)
        expected = self._on_host(sample)
        assert (expected is None) == (address + width(access) > MEMORY_BYTES)
        allowed = expected if means(access, address) else None
        assert self.guest.outcome(sample) == (allowed or MEMORY), (access, offset, base)

    def _on_host(self, sample: bytes) -> bytes | None:
        try:
            return self._host.infer({"given": sample}).outputs[0]
        except TrapError:
            return None


class AccessGuest(Guest):
    def reset(self) -> None:
        self._machine.clear()
        self._machine.task(INSTANTIATE)

    def outcome(self, sample: bytes) -> bytes | int:
        """What was written, or the cause of the trap."""
        self._machine.read = lambda _, size: sample[:size]
        try:
            self._machine.task(RUN)
        except Trapped as trap:
            return trap.cause
        return self.written[0]


@pytest.fixture(scope="module", params=CORES)
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param)


def test_every_access_at_every_edge(pair: Pair) -> None:
    for number, (access, offset) in enumerate(ACCESSES):
        for edge in (0, CONSTANT_BYTES, MEMORY_BYTES, 1 << 32):
            for base in range(edge - offset - width(access) - 1, edge - offset + 2):
                if 0 <= base < 1 << 32:
                    address = base + offset
                    allowed = address + width(access) <= MEMORY_BYTES and means(access, address)
                    outcome = pair.guest.outcome(struct.pack("<IIQ", number, base, 0))
                    assert (outcome != MEMORY) == allowed, (access, offset, base)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    number=st.integers(0, len(ACCESSES) - 1),
    base=st.one_of(st.integers(0, MEMORY_BYTES), st.integers(0, (1 << 32) - 1)),
    value=st.integers(0, (1 << 64) - 1),
)
def test_any_access_anywhere(pair: Pair, number: int, base: int, value: int) -> None:
    pair.compare(number, base, value)


def eight_bytes_at(mask: int, core: str) -> Guest:
    """Reads a number, and writes the 8 bytes that lie 4 bytes behind what the mask leaves of it."""
    place = f"(i32.and {GIVEN} (i32.const {mask}))"
    body = f"""(i64.store (i32.const 1008) (i64.load offset=4 {place}))
      (drop (call $write (i32.const 0) (i32.const 1008) (i32.const 8)))"""
    text = module(body, before='(data (i32.const 65524) "0123456789ab")')
    return Guest(of_text(text, given=4, taken=8), core)


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m3", "cortex-m4f", "cortex-m7f"])
def test_loads_of_two_aligned_words(core: str) -> None:
    guest = eight_bytes_at(-4, core)
    for base, expected in ((65524, b"456789ab"), (65523, b"01234567"), (65527, b"456789ab")):
        assert guest.run(base) == 0
        assert guest.written[0] == expected
    assert [guest.cause(base) for base in (65528, 0x7FFFFFFF, 0xFFFFFFFF)] == [MEMORY] * 3


def test_aligned_words_are_loaded_together() -> None:
    def count(mask: int) -> int:
        """LDRD with an offset (ARMv7-M Architecture Reference Manual, A7.7.50)."""
        build = eight_bytes_at(mask, "cortex-m4f").build
        halfwords = struct.unpack_from(f"<{build.code_bytes // 2}H", build.image.body)
        return sum(value & 0xFF70 == 0xE950 for value in halfwords)

    assert count(-4) == count(-2) + 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('(module (memory (export "memory") 1))', "exports no function `run"),
        (
            '(module (memory 1) (func (export "run") (param i32) (result i32) i32.const 0))',
            "exports no function",
        ),
        ('(module (func (export "run") (result i32) i32.const 0))', "expected one section for memory"),
        ('(module (import "wasi" "exit" (func)) (memory 1) (func (export "run")))', "imports 'wasi.exit'"),
        ('(module (import "rune" "read" (func)) (memory 1))', "another type than the ABI's"),
        ('(module (import "rune" "memory" (memory 1)))', "imports 'rune.memory'"),
        ('(module (memory 2) (func (export "run") (result i32) i32.const 0))', "the manifest plans 65,536"),
        ('(module (memory 1 2 shared) (func (export "run") (result i32) i32.const 0))', "shared"),
        ('(module (memory i64 1) (func (export "run") (result i32) i32.const 0))', "64 bits"),
        (
            '(module (memory 1) (func (export "run") (result i32) (local v128) i32.const 0))',
            "wasm2c refuses the module",
        ),
        ("(module (memory 1) (func (result v128) unreachable))", "SIMD vectors"),
        (
            '(module (memory 1) (func $s) (start $s) (func (export "run") (result i32) i32.const 0))',
            "start function",
        ),
        (
            '(module (memory 1) (data "x") (func (export "run") (result i32) i32.const 0))',
            "data segment of a kind",
        ),
        (
            '(module (memory 1) (data (i32.const 65536) "x") (func (export "run") (result i32) i32.const 0))',
            "too long",
        ),
        ("(module (memory 1) (func (result i32 i32) unreachable))", "several values"),
        (
            """(module (memory 1) (table 1 funcref) (func (export "run") (result i32)
              (table.set (i32.const 0) (ref.null func)) i32.const 0))""",
            "uses what boards do not have: ",
        ),
    ],
)
def test_what_the_abi_lacks_is_refused(text: str, words: str) -> None:
    with pytest.raises(ContainerError, match=words):
        translate(of_text(text))


def test_a_progress_cell_in_the_constants_is_refused() -> None:
    text = '(module (memory (export "memory") 1) (func (export "run") (result i32) i32.const 0))'
    for read_only, progress in ((1024, 100), (65520, 65000), (0, 65530), (50, 64)):
        with pytest.raises(ContainerError, match="progress cell"):
            translate(of_text(text, read_only=read_only, progress=progress))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_module_is_refused_or_translated(data: st.DataObject) -> None:
    wasm = bytearray(every_access_module())
    for _ in range(data.draw(st.integers(1, 3))):
        wasm[data.draw(st.integers(8, 200))] = data.draw(st.integers(0, 255))
    try:
        parse(bytes(wasm))
    except ContainerError:
        return


@cache
def every_access_module() -> bytes:
    return every_access().modules[Profile.MCU]


def test_names_of_a_module_never_reach_the_c() -> None:
    name = '*/ #include \\"/etc/passwd\\"'
    text = f"""(module $m (memory (export "memory") 1) (func (export "{name}"))
      (func (export "run") (result i32) (call 0) i32.const 0))"""
    translation = translate(of_text(text))
    assert "passwd" in translation.name_of(0)
    assert "passwd" not in board_unit(translation)
