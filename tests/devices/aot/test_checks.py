"""No check of an access is left in the loops that multiply: clang proved them, or they stand before."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.manifest import Optimization
from container.sections import Container
from container.zig import run_zig
from devices.aot import machine
from devices.aot.build import export_c
from tests.devices.aot import containers
from tests.devices.aot.assembly import Loop, innermost_loops
from tests.devices.aot.guests import of_text


def compiled(container: Container, core: str, folder: Path) -> list[Loop]:
    """The innermost loops of a container in the machine code of a core, by the flags of board images."""
    triple, cpu = machine.target(containers.board_with(core))
    (folder / "unit.c").write_text(export_c(container))
    flags = [f"-mcpu={cpu}", *machine.compiler_flags(container.manifest.optimization)]
    run_zig(folder, "cc", "-target", triple, *flags, "-S", "unit.c", "-o", "unit.s")
    return innermost_loops((folder / "unit.s").read_text())


@pytest.mark.parametrize("optimization", [Optimization.BALANCED, Optimization.SIZE])
@pytest.mark.parametrize("name", ["kws", "resnet", "anomaly", "micro_speech"])
def test_models(name: str, optimization: Optimization, tmp_path: Path) -> None:
    container = containers.model(name, optimization)
    loops = [loop for loop in compiled(container, "cortex-m4f", tmp_path) if loop.products]
    assert loops
    assert [loop for loop in loops if loop.checks] == []


def test_digits(tmp_path: Path) -> None:
    loops = compiled(containers.example("digits"), "cortex-m4f", tmp_path)
    assert any(loop.products for loop in loops)
    assert [loop for loop in loops if loop.products and loop.checks] == []


SUM = """(module (import "rune" "read" (func $read (param i32 i32 i32) (result i32)))
  (import "rune" "write" (func $write (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run") (result i32) (local $at i32) (local $sum i32)
    (drop (call $read (i32.const 0) (i32.const 32) (i32.const 4)))
    (local.set $at (i32.const 64))
    (loop $each
      (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 10007)) (i32.load ADDRESS)))
      (br_if $each (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (i32.const 4096))))
    (i32.store (i32.const 32) (local.get $sum))
    (drop (call $write (i32.const 0) (i32.const 32) (i32.const 4)))
    (i32.const 0)))"""


@pytest.mark.parametrize(("address", "is_proved"), [("(local.get $at)", True), ("(local.get $sum)", False)])
def test_a_check_that_is_needed_is_counted(address: str, is_proved: bool, tmp_path: Path) -> None:
    """An address that the loop counts is proved; one that comes from what was read is not."""
    loops = compiled(of_text(SUM.replace("ADDRESS", address)), "cortex-m4f", tmp_path)
    [loop] = [loop for loop in loops if loop.products]
    assert (loop.checks == 0) is is_proved
