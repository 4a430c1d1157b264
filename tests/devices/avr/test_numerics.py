"""The arithmetic of an AVR, which avr-gcc and its libraries put together of bytes, bit for bit."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator

from container.abi import Profile
from container.sections import Container
from devices import board as boards
from devices.avr.build import build_avr_image
from runtime.application import Application
from tests.devices.aot import guests
from tests.devices.avr.support import running
from tests.tools import needs_simavr

ROUNDS = 30
SPECIAL_FLOATS = (
    0,
    0x80000000,
    1,
    0x007FFFFF,
    0x00800000,
    0x7F7FFFFF,
    0x7F800000,
    0xFF800000,
    0x3F800000,
    0x3F800001,
    0x3EFFFFFF,
    0x4B000001,
    0x4F000000,
    0xCF000000,
)
# $a and $b are the operands, 64-bit integers; $x and $y their lower halves, $f and $g those as floats.
INTEGERS = {
    "i64": [
        *(
            f"(i64.{name} (local.get $a) (local.get $b))"
            for name in ["add", "sub", "mul", "and", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"]
        ),
        *(
            f"(i64.{name} (local.get $a) (i64.or (local.get $b) (i64.const 1)))"
            for name in ["div_u", "rem_u", "rem_s"]
        ),
        *(f"(i64.{name} (local.get $a))" for name in ["clz", "ctz", "popcnt"]),
        "(i64.mul (i64.extend_i32_s (local.get $x)) (i64.extend_i32_s (local.get $y)))",
        "(i64.extend_i32_u (i64.lt_s (local.get $a) (local.get $b)))",
        "(i64.trunc_sat_f32_s (local.get $f))",
        "(i64.trunc_sat_f32_u (local.get $f))",
    ],
    "i32": [
        *(
            f"(i32.{name} (local.get $x) (local.get $y))"
            for name in ["mul", "shl", "shr_s", "shr_u", "rotl", "rotr", "lt_s", "ge_u"]
        ),
        *(
            f"(i32.{name} (local.get $x) (i32.or (local.get $y) (i32.const 1)))"
            for name in ["div_u", "rem_u", "rem_s"]
        ),
        *(f"(i32.{name} (local.get $x))" for name in ["clz", "ctz", "popcnt", "extend8_s", "extend16_s"]),
        "(i32.trunc_sat_f32_s (local.get $f))",
        "(i32.trunc_sat_f32_u (local.get $f))",
        "(f32.lt (local.get $f) (local.get $g))",
        "(f32.eq (local.get $f) (local.get $g))",
    ],
}
FLOATS = [
    *(
        f"(f32.{name} (local.get $f) (local.get $g))"
        for name in ("add", "sub", "mul", "min", "max", "copysign")
    ),
    *(f"(f32.{name} (local.get $f))" for name in ["sqrt", "nearest", "floor", "ceil", "trunc", "abs", "neg"]),
    "(f32.convert_i32_s (local.get $x))",
    "(f32.convert_i32_u (local.get $x))",
    "(f32.convert_i64_s (local.get $a))",
    "(f32.convert_i64_u (local.get $a))",
    # Of ordinary numbers: avr-libc's quotient of subnormal ones may be off by one in the last place.
    "(f32.div (f32.convert_i32_s (local.get $x)) (f32.convert_i32_s (i32.or (local.get $y) (i32.const 1))))",
]
RESULTS = [("i64", code) for code in INTEGERS["i64"]]
RESULTS += [("i32", code) for code in INTEGERS["i32"]] + [("f32", code) for code in FLOATS]
BYTES = {"i64": 8, "i32": 4, "f32": 4}


def guest() -> Container:
    stores, place = [], 32
    for kind, code in RESULTS:
        stores.append(f"({kind}.store (i32.const {place}) {code})")
        place += BYTES[kind]
    memory = place + 16
    text = f"""(module
      (import "rune" "read" (func $read (param i32 i32 i32) (result i32)))
      (import "rune" "write" (func $write (param i32 i32 i32) (result i32)))
      (memory (export "memory") {memory} {memory} (pagesize 1))
      (func (export "run") (result i32)
        (local $a i64) (local $b i64) (local $x i32) (local $y i32) (local $f f32) (local $g f32)
        (drop (call $read (i32.const 0) (i32.const 16) (i32.const 16)))
        (local.set $a (i64.load (i32.const 16))) (local.set $b (i64.load (i32.const 24)))
        (local.set $x (i32.load (i32.const 16))) (local.set $y (i32.load (i32.const 24)))
        (local.set $f (f32.load (i32.const 16))) (local.set $g (f32.load (i32.const 24)))
        {"".join(stores)}
        (drop (call $write (i32.const 0) (i32.const 32) (i32.const {place - 32})))
        (i32.const 0)))"""
    return guests.of_text(text, memory=memory, progress=memory // 4 * 4 - 4, given=16, taken=place - 32)


def operands(generator: random.Random) -> bytes:
    """Two 64-bit integers whose lower halves are special floats, any bits, or near to each other."""
    lower = [
        generator.choice([generator.choice(SPECIAL_FLOATS), generator.getrandbits(32)]) for _ in range(2)
    ]
    if generator.random() < 0.2:
        lower[1] = lower[0] ^ generator.getrandbits(3)
    upper = [generator.choice([0, 0xFFFFFFFF, generator.getrandbits(32)]) for _ in range(2)]
    return struct.pack("<4I", lower[0], upper[0], lower[1], upper[1])


def values(data: bytes) -> Iterator[tuple[str, str]]:
    """Each result's expression and its bits; one not-a-number is as good as another."""
    place = 0
    for kind, code in RESULTS:
        bits = data[place : place + BYTES[kind]]
        is_nan = kind == "f32" and math.isnan(struct.unpack("<f", bits)[0])
        yield code, "nan" if is_nan else bits[::-1].hex()
        place += BYTES[kind]


def test_every_operation_has_the_bits_of_this_machine() -> None:
    needs_simavr()
    container, board, generator = guest(), boards.load("mega2560"), random.Random(1)
    image = build_avr_image(container, board)
    with (
        running(container, board, image.data) as (on_board, _),
        Application(container, profile=Profile.MCU) as here,
    ):
        for _ in range(ROUNDS):
            given = {"given": operands(generator)}
            found, expected = (application.infer(given).outputs[0] for application in (on_board, here))
            assert dict(values(found)) == dict(values(expected)), given["given"].hex()
