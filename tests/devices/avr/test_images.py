"""Images for AVR boards, as they are built: what they hold, what they take, and what is refused."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from intelhex import IntelHex

from container.abi import Profile
from container.errors import BudgetError, CompileError, ContainerError, RuneError
from devices import board as boards
from devices.avr import build
from tests.devices.aot import containers, guests
from tests.devices.avr.support import example_image
from tests.tools import needs

UNO, MEGA = boards.load("uno"), boards.load("mega2560")


@pytest.fixture(autouse=True)
def tools() -> None:
    needs("avr-gcc")


def test_digits_fit_the_uno_with_weights_in_flash() -> None:
    container = containers.example("digits")
    image = example_image("digits", "uno")
    flash = {part.name: part.bytes for part in image.need.flash.parts}
    ram = {part.name: part.bytes for part in image.need.ram.parts}
    plan = container.manifest.plans[Profile.MCU]
    assert flash["weights and tables"] == 16 + plan.read_only
    assert image.need.flash.used == len(image.data) <= 32_256
    assert ram["activations"] == plan.arena
    assert image.need.ram.used == sum(ram.values()) <= 2_048
    assert ram["stack"] == image.stack_bytes
    weights = container.modules[Profile.MCU][-4000:-3000]
    assert any(weights[start : start + 16] in image.data for start in range(0, len(weights) - 16, 16))


def test_the_same_container_gives_the_same_hex_that_holds_the_data() -> None:
    container = containers.example("sine/int8.Runefile")
    first, second = example_image("sine/int8.Runefile", "uno"), build.build_avr_image(container, UNO)
    assert first == second
    found = IntelHex(io.StringIO(first.hex))
    assert bytes(found.tobinarray()) == first.data
    assert bytes.fromhex(container.digest) in first.data


def test_what_does_not_fit_is_refused_with_its_size() -> None:
    with pytest.raises(
        BudgetError, match=r"does not fit uno: it needs at least 4,\d\d\d bytes of RAM, 2,048"
    ):
        build.build_avr_image(containers.model("micro_speech"), UNO)
    with pytest.raises(BudgetError, match="does not fit mega2560"):
        build.build_avr_image(containers.model("kws"), MEGA)


def test_code_that_the_linker_has_no_place_for_is_refused_by_its_size() -> None:
    step = "(i32.store (local.get $x) (i32.mul (i32.load (i32.load (local.get $x))) (local.get $x)))"
    # Many functions, each another and called twice so that it stays one: a single large one takes the
    # compiler longer.
    numbers = range(20)
    functions = [
        f"(func $f{n} (param $x i32) {step * 45} (i32.store (i32.const 40) (i32.const {n})))" for n in numbers
    ]
    calls = [f"(call $f{n} (local.get $x))" for n in numbers] * 2
    container = guests.of_text(
        f"""(module (memory (export "memory") 64 64 (pagesize 1)) {" ".join(functions)}
        (func (export "run") (result i32) (local $x i32)
          (local.set $x (i32.load (i32.const 32))) {" ".join(calls)} (local.get $x)))""",
        memory=64,
    )
    with pytest.raises(BudgetError, match=r"it needs \d+,\d+ bytes of flash, 32,256 are there") as caught:
        build.build_avr_image(container, UNO)
    assert "mega2560" in (caught.value.hint or "")


def test_the_stack_counts() -> None:
    # Without its stack of some 340 bytes it would fit.
    ram = replace(
        UNO.ram, container=boards.Region(UNO.ram.start, example_image("digits", "uno").need.ram.used - 1)
    )
    with pytest.raises(BudgetError, match="bytes of RAM"):
        build.build_avr_image(containers.example("digits"), replace(UNO, ram=ram))


def test_doubles_are_refused_by_the_function_that_has_them() -> None:
    container = guests.of_text(
        """(module (memory (export "memory") 64 64 (pagesize 1))
        (func (export "run") (result i32) (i32.trunc_f64_s (f64.load (i32.const 8)))))""",
        memory=64,
    )
    with pytest.raises(CompileError, match=r"computes with 64-bit floats \(run\)"):
        build.build_avr_image(container, UNO)


def test_other_boards_are_not_built_for() -> None:
    with pytest.raises(ContainerError, match="microbit has no AVR"):
        build.build_avr_image(containers.example("sine/int8.Runefile"), boards.load("microbit"))


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    container = containers.example("sine/int8.Runefile")
    monkeypatch.setattr(build, "AVR_GCC", "avr-gcc-that-is-not-there")
    with pytest.raises(RuneError) as caught:
        build.build_avr_image(container, UNO)
    assert "avr-gcc-that-is-not-there" in caught.value.message
    assert caught.value.hint == build.INSTALL
