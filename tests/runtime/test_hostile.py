"""Hostile containers, written in WebAssembly text: each ends in a clear error, in bounded time."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import pytest

from container.abi import Profile
from container.errors import ContainerError, ExitCode, LimitError, RuneError, TrapError
from container.sections import Container, seal
from container.tensors import ElementType, TensorType
from runtime.application import Application
from runtime.limits import Limits
from tests.runtime import guests
from tests.runtime.guests import IMPORTS, MEMORY, PAGE_BYTES, assemble, container, module

LIMITS = Limits(deadline_s=0.3)
SAMPLE = {"features": b"\1\2\3\4"}
AT_WORK = "(i32.store (i32.const 0) (i32.const 1))"
"""Notes in the progress cell that operator 1, of the stage `serial`, is at work."""
IN_SERIAL = "the container was ended in stage `serial`, operator 1 (op_serial): "
READ = "(drop (call $read (i32.const 0) (i32.const 16) (i32.const 4)))"


def outcome(guest: Container, limits: Limits = LIMITS) -> RuneError:
    """The error that loading the container, or one inference, ends in; the inference within a second.

    The start of the worker process is not in that second: it is ours, and a busy machine may take its time.
    """
    begins: list[float] = []
    with pytest.raises(RuneError) as caught:
        run(guest, limits, begins)
    assert all(time.monotonic() - begin < 1.0 for begin in begins)
    return caught.value


def run(guest: Container, limits: Limits, begins: list[float]) -> None:
    """One inference; notes when it begins."""
    with Application(guest, limits=limits) as application:
        begins.append(time.monotonic())
        application.infer(SAMPLE)


@dataclass(frozen=True)
class Case:
    body: str
    kind: type[RuneError]
    message: str
    more: str = ""


TRAPS = {
    "endless loop": Case(
        "(loop $l (br $l)) (unreachable)", LimitError, "it took longer than 0.3 s for an inference"
    ),
    "endless recursion": Case(
        "(call $f)", TrapError, "its calls nest too deeply for the stack", "(func $f (result i32) (call $f))"
    ),
    "growing for ever": Case(
        "(loop $l (drop (memory.grow (i32.const 1))) (br $l)) (unreachable)",
        LimitError,
        "it took longer than 0.3 s for an inference",
    ),
    "use of what did not grow": Case(
        "(i32.load (i32.mul (memory.grow (i32.const 1000)) (i32.const -65536)))",
        TrapError,
        "it reads or writes outside of its memory",
    ),
    "load far outside": Case(
        "(i32.load (i32.const -4))", TrapError, "it reads or writes outside of its memory"
    ),
    "division by zero": Case(
        "(i32.div_s (i32.const 1) (i32.const 0))", TrapError, "it divides an integer by zero"
    ),
    "overflow": Case(
        "(i32.div_s (i32.const 0x80000000) (i32.const -1))", TrapError, "an integer division overflows"
    ),
    "conversion": Case(
        "(i32.trunc_f32_s (f32.const nan))", TrapError, "it converts a float that is no integer's value"
    ),
    "unreachable": Case("(unreachable)", TrapError, "it gave itself up (`unreachable`)"),
    "null call": Case(
        "(call_indirect (result i32) (i32.const 0))",
        TrapError,
        "it calls a function that is not there",
        "(table 1 funcref)",
    ),
    "call outside of the table": Case(
        "(call_indirect (result i32) (i32.const 7))",
        TrapError,
        "it reads or writes outside of its table",
        "(table 1 funcref)",
    ),
    "call of another type": Case(
        "(call_indirect (result i32) (i32.const 0))",
        TrapError,
        "it calls a function of another type",
        "(table 1 funcref) (func $v) (elem (i32.const 0) $v)",
    ),
    "read outside": Case(
        "(call $read (i32.const 0) (i32.const 65533) (i32.const 4))",
        TrapError,
        "it calls `read` with 4 bytes at 65,533, outside of its memory of 65,536 bytes",
    ),
    "read at a negative address": Case(
        "(call $read (i32.const 0) (i32.const -4) (i32.const 4))",
        TrapError,
        "it calls `read` with 4 bytes at 4,294,967,292, outside of its memory of 65,536 bytes",
    ),
    "read of a wrong length": Case(
        "(call $read (i32.const 0) (i32.const 16) (i32.const 5))",
        TrapError,
        "it calls `read` number 0 for 5 bytes, the type has 4",
    ),
    "read of a negative length": Case(
        "(call $read (i32.const 0) (i32.const 16) (i32.const -1))",
        TrapError,
        "it calls `read` number 0 for 4,294,967,295 bytes, the type has 4",
    ),
    "read of an unknown source": Case(
        "(call $read (i32.const 1) (i32.const 16) (i32.const 4))",
        TrapError,
        "it calls `read` with number 1, which its manifest does not know",
    ),
    "read twice": Case(f"{READ} {READ} (i32.const 0)", TrapError, "it reads source 0 twice in one inference"),
    "write outside": Case(
        "(call $write (i32.const 0) (i32.const 65536) (i32.const 4))",
        TrapError,
        "it calls `write` with 4 bytes at 65,536, outside of its memory of 65,536 bytes",
    ),
    "write of a wrong length": Case(
        "(call $write (i32.const 0) (i32.const 0) (i32.const 65536))",
        TrapError,
        "it calls `write` number 0 for 65,536 bytes, the type has 4",
    ),
    "write of an unknown output": Case(
        "(call $write (i32.const -1) (i32.const 16) (i32.const 4))",
        TrapError,
        "it calls `write` with number -1, which its manifest does not know",
    ),
    "flood of output": Case(
        "(loop $l (drop (call $write (i32.const 0) (i32.const 16) (i32.const 4))) (br $l)) (unreachable)",
        LimitError,
        "it writes output 0 twice in one inference",
    ),
}


@pytest.mark.parametrize("case", TRAPS.values(), ids=TRAPS)
def test_traps_tell_stage_and_cause(case: Case) -> None:
    error = outcome(container(module(AT_WORK + case.body, more=case.more)))
    assert type(error) is case.kind
    assert error.message == IN_SERIAL + case.message
    assert error.exit_code is ExitCode.TRAP


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0x103, "the stage `serial` gave up: an index is outside of the list it points into"),
        (0x001, "the stage `features` gave up: its sensor gave no complete sample"),
        (0x203, "the container returned 515, which is no error code of its manifest"),
        (0x109, "the container returned 265, which is no error code of its manifest"),
        (-1, "the container returned -1, which is no error code of its manifest"),
        (-253, "the container returned -253, which is no error code of its manifest"),
    ],
)
def test_error_codes(value: int, message: str) -> None:
    error = outcome(container(module(f"(i32.const {value})")))
    assert (type(error), error.message) == (TrapError, message)


def test_an_output_that_is_missing() -> None:
    error = outcome(container(module("(i32.const 0)")))
    assert error.message == "the container finished without writing output 0"


def test_the_progress_cell_may_hold_anything() -> None:
    error = outcome(container(module("(i32.store (i32.const 0) (i32.const 77)) (unreachable)")))
    assert error.message == "the container was ended: it gave itself up (`unreachable`)"


REFUSED = {
    "no run": (f"(module {MEMORY})", "the module does not export a function `run() -> i32`"),
    "run of another type": (
        f'(module {MEMORY} (func (export "run")))',
        "the module does not export a function `run() -> i32`",
    ),
    "run is no function": (
        f'(module {MEMORY} (global (export "run") i32 (i32.const 0)))',
        "the module does not export a function `run() -> i32`",
    ),
    "no memory": (
        '(module (func (export "run") (result i32) (i32.const 0)))',
        "the module does not export `memory`",
    ),
    "another import": (
        f'(module (import "wasi" "fd_write" (func)) {MEMORY})',
        "the module imports `wasi.fd_write`; a container may import `rune.read` and `rune.write`",
    ),
    "another function of ours": (
        f'(module (import "rune" "exec" (func)) {MEMORY})',
        "the module imports `rune.exec`; a container may import `rune.read` and `rune.write`",
    ),
    "import of another type": (
        f'(module (import "rune" "read" (func (param i32 i64 i32) (result i32))) {MEMORY})',
        "the module imports `rune.read` as something else than (i32, i32, i32) -> i32",
    ),
    "import of a global": (
        f'(module (import "rune" "write" (global i32)) {MEMORY})',
        "the module imports `rune.write` as something else than (i32, i32, i32) -> i32",
    ),
    "start function": (
        f"(module {MEMORY} (func $s (loop $l (br $l))) (start $s))",
        "the module has a start function: a container's only entry is `run`",
    ),
    "data outside": (
        f'(module {MEMORY} (data (i32.const 65535) "ab") (func (export "run") (result i32) (i32.const 0)))',
        "the module cannot be set up: out of bounds memory access",
    ),
    "more memory than planned": (
        '(module (memory (export "memory") 2) (func (export "run") (result i32) (i32.const 0)))',
        "the module wants 131,072 bytes of memory, its manifest says 65,536",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_modules_that_are_refused(text: str, message: str) -> None:
    error = outcome(container(assemble(text)))
    assert (type(error), error.message) == (ContainerError, message)
    assert error.exit_code is ExitCode.CONTAINER


def test_a_huge_memory() -> None:
    guest = container(
        module("(i32.const 0)", memory='(memory (export "memory") 65536)'), memory_bytes=1 << 32
    )
    error = outcome(guest)
    assert type(error) is LimitError
    assert error.message == "the module wants 4,294,967,296 bytes of memory, the limit is 268,435,456"


def test_a_huge_table() -> None:
    error = outcome(container(module("(i32.const 0)", more="(table 10001 funcref)")))
    assert type(error) is ContainerError
    assert error.message.startswith("the module cannot be set up: ")
    assert "table" in error.message


def test_a_second_memory() -> None:
    error = outcome(
        container(assemble(f'(module {MEMORY} (memory 1) (func (export "run") (result i32) (i32.const 0)))'))
    )
    assert error.message.startswith("the module is not valid WebAssembly: ")


def test_memory_stays_as_small_as_the_plan() -> None:
    body = "(memory.grow (i32.const 1))"
    error = outcome(container(module(body, memory='(memory (export "memory") 1 100)')))
    assert error.message == "the container returned -1, which is no error code of its manifest"


def test_code_that_does_not_validate() -> None:
    broken = module("(i32.const 0)").replace(b"\x41\x00\x0b", b"\x42\x00\x0b")
    error = outcome(container(broken))
    assert type(error) is ContainerError
    assert error.message.startswith("the module is not valid WebAssembly: ")


def test_simd_is_not_of_the_board_profile() -> None:
    code = module("(i32x4.extract_lane 0 (v128.const i32x4 0 0 0 0))")
    guest = Container.parse(seal(guests.manifest(profiles=[Profile.MCU]), {Profile.MCU: code}))
    assert "SIMD support is not enabled" in outcome(guest).message


def test_a_progress_cell_outside_of_the_memory() -> None:
    sealed = guests.manifest()
    plan = replace(sealed.plans[Profile.SIMD], progress=8)
    manifest = replace(sealed, plans={Profile.SIMD: plan})
    guest = Container.parse(
        seal(manifest, {Profile.SIMD: module("(i32.const 0)", memory='(memory (export "memory") 0)')})
    )
    assert "the manifest's progress cell at 8 lies outside of the memory" in outcome(guest).message


def test_types_that_would_fill_the_host_s_memory() -> None:
    big = TensorType(ElementType.U8, (100 << 20,))
    stages = [guests.capability(f"s{port}", big, "RAND", port) for port in range(3)]
    error = outcome(
        container(module("(i32.const 0)"), *stages, guests.out("serial", guests.FOUR_BYTES, of="s0"))
    )
    assert type(error) is LimitError
    assert error.message == (
        "an inference of the container takes and gives 314,572,804 bytes, the limit is 268,435,456"
    )


def test_fuel() -> None:
    endless = container(module(AT_WORK + "(loop $l (br $l)) (unreachable)"))
    error = outcome(endless, Limits(deadline_s=5.0, fuel=100_000))
    assert type(error) is LimitError
    assert error.message == IN_SERIAL + "it used up its fuel of 100,000"


def test_a_big_sample_and_a_big_output() -> None:
    count = 3 << 20
    kind = TensorType(ElementType.U8, (count,))
    body = f"""
        (drop (call $read (i32.const 0) (i32.const {PAGE_BYTES}) (i32.const {count})))
        (drop (call $write (i32.const 0) (i32.const {PAGE_BYTES}) (i32.const {count})))
        (i32.const 0)"""
    pages = count // PAGE_BYTES + 1
    stages = guests.capability("big", kind), guests.out("serial", kind, of="big")
    code = module(body, imports=IMPORTS, memory=f'(memory (export "memory") {pages})')
    sample = bytes(range(256)) * (count // 256)
    with Application(container(code, *stages, memory_bytes=pages * PAGE_BYTES)) as application:
        assert application.infer({"big": sample}).outputs == {0: sample}
