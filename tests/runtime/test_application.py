"""Loading a container and running it: values in, values out, and the life of its process."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from container.abi import Profile
from container.errors import ContainerError, LimitError, RuneError, TrapError, UsageError
from container.sections import Container, seal
from container.tensors import ElementType, TensorType
from runtime.application import Application
from runtime.limits import Limits
from runtime.progress import IDLE
from tests.runtime import guests

ROOT = Path(__file__).parents[2]
INPUT = {"features": [[1, 2, -3, 4]]}


@pytest.fixture(name="echo")
def _echo() -> object:
    with Application(guests.echo()) as application:
        yield application


def test_run(echo: Application) -> None:
    outputs = echo.run(INPUT)
    assert list(outputs) == ["serial"]
    assert outputs["serial"].dtype == np.int8
    assert outputs["serial"].tolist() == [[1, 2, -3, 4]]


def test_outputs_of_a_stage_with_several_inputs() -> None:
    body = """
        (drop (call $read (i32.const 0) (i32.const 16) (i32.const 4)))
        (drop (call $write (i32.const 0) (i32.const 16) (i32.const 4)))
        (drop (call $write (i32.const 1) (i32.const 16) (i32.const 4)))
        (i32.const 0)"""
    word = TensorType(ElementType.UTF8, (1,), width=4)
    features = guests.capability("features", guests.FOUR_BYTES)
    serial = guests.out("serial", guests.FOUR_BYTES, word, of="features")
    with Application(guests.container(guests.module(body), features, serial)) as application:
        outputs = application.run({"features": list(b"ja\0x")})
    assert outputs["serial.0"].tolist() == [[106, 97, 0, 120]]
    assert outputs["serial.1"].tolist() == ["ja"]


def test_memory_lasts_from_one_inference_to_the_next() -> None:
    with Application(guests.container(guests.module(guests.COUNT))) as application:
        seen = [application.run(INPUT)["serial"][0, 0] for _ in range(3)]
    assert seen == [1, 2, 3]


def test_a_reset_forgets() -> None:
    start = '(data (i32.const 16) "\\07")'
    with Application(guests.container(guests.module(guests.COUNT, more=start))) as application:
        seen = []
        for _ in range(2):
            seen += [application.run(INPUT)["serial"][0, 0] for _ in range(2)]
            application.reset()
        number = application.operator()
    assert seen == [8, 9, 8, 9]
    assert number == IDLE  # the progress cell is looked for where the new instance has it


def test_nothing_is_reset_in_a_closed_application() -> None:
    application = Application(guests.container(guests.module(guests.ECHO)))
    application.close()
    with pytest.raises(UsageError, match="closed"):
        application.reset()


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (TensorType(ElementType.I8, (4,)), np.array([1, 2, 3, -4], np.int64), b"\x01\x02\x03\xfc"),
        (TensorType(ElementType.I8, (4, 1)), np.array([[1, 2, 3, 4]], np.int8), b"\x01\x02\x03\x04"),
        (TensorType(ElementType.U8, (4,)), [255, 0, 1, True], b"\xff\x00\x01\x01"),
        (TensorType(ElementType.F32, (1,)), 0.1, b"\xcd\xcc\xcc\x3d"),
        (TensorType(ElementType.F32, ()), [[0.5]], b"\x00\x00\x00\x3f"),
        (TensorType(ElementType.F32, (1,)), np.array([0.5]), b"\x00\x00\x00\x3f"),
        (TensorType(ElementType.F32, (1,)), np.array([np.nan]), b"\x00\x00\xc0\x7f"),
        (TensorType(ElementType.I16, (2,)), np.array([1.0, -2.0]), b"\x01\x00\xfe\xff"),
        (TensorType(ElementType.U16, (2,)), np.array([1, 2], ">u2"), b"\x01\x00\x02\x00"),
        (TensorType(ElementType.UTF8, (2,), width=2), ["a", "é"], b"a\x00\xc3\xa9"),
        (
            TensorType(ElementType.I8, (2, 2)),
            np.array([[1, 2], [3, 4]], np.int8, order="F"),
            b"\x01\x02\x03\x04",
        ),
    ],
)
def test_values_that_fit(kind: TensorType, value: object, expected: bytes) -> None:
    from container.values import checked_bytes

    assert checked_bytes(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (ElementType.I8, [1, 2, 3], "has the shape [3], expected [1, 4]"),
        (ElementType.I8, [[1], [2, 3]], "the lists have different lengths, or hold what is no number"),
        (ElementType.I8, ["a"] * 4, "has the element type <U1, expected int8"),
        (ElementType.I8, [1, 2, 128, 4], "cannot hold 128 at [2]"),
        (ElementType.I8, [0.5, 1, 2, 3], "cannot hold 0.5 at [0]"),
        (ElementType.U8, np.array([0, 1, -1, 2]), "cannot hold -1 at [2]"),
        (ElementType.U64, np.array([0, 1, 2, -1]), "cannot hold -1 at [3]"),
        (ElementType.I64, np.array([0, 1, 2, 2**63], np.uint64), "cannot hold 9223372036854775808 at [3]"),
        (ElementType.I64, [0, 1, 2, 2**64], "the element type object, expected int64"),
        (ElementType.F32, np.array([0.1, 0, 0, 0]), "has the element type float64, expected float32"),
        (ElementType.F32, np.array([2**24 + 1, 0, 0, 0]), "cannot hold 16777217 at [0]"),
        (ElementType.I32, np.array([np.nan, 0, 0, 0]), "cannot hold nan at [0]"),
        (ElementType.F32, np.array([1j, 0, 0, 0]), "has the element type complex128, expected float32"),
        (ElementType.UTF8, [1, 2, 3, 4], "expected text"),
        (ElementType.UTF8, ["a", "b", "c", "drei"], "'drei' takes 4 bytes, the type holds 3"),
    ],
)
def test_values_that_do_not_fit(kind: ElementType, value: object, message: str) -> None:
    from container.values import sample_from_value

    width = 3 if kind is ElementType.UTF8 else None
    stage = guests.capability("features", TensorType(kind, (1, 4), width=width))
    with pytest.raises(UsageError) as caught:
        sample_from_value(stage, value)
    assert caught.value.message.startswith("the input 'features': ")
    assert message in caught.value.message


def test_names_of_inputs(echo: Application) -> None:
    with pytest.raises(UsageError, match="there is no input 'feature'") as caught:
        echo.run({"feature": [1, 2, 3, 4]})
    assert caught.value.hint == "the inputs are `features` I8[1,4]"
    with pytest.raises(UsageError, match="the input 'features' is missing"):
        echo.run({})
    with pytest.raises(UsageError, match=r"the sample of `features` has 3 bytes, I8\[1,4\] takes 4"):
        echo.infer({"features": b"123"})


def test_profiles(tmp_path: Path) -> None:
    code = guests.module(guests.ECHO)
    path = tmp_path / "app.rune"
    path.write_bytes(seal(guests.manifest(profiles=[Profile.MCU]), {Profile.MCU: code}))
    with Application.load(path) as application:
        assert application.profile is Profile.MCU
        assert application.run(INPUT)["serial"].tolist() == INPUT["features"]
    with pytest.raises(UsageError, match="'guest' has no profile 'simd'; it has mcu") as caught:
        Application.load(path, profile="simd")
    assert caught.value.hint == "build it in with `rune build --profile simd`"


def test_simd_comes_first() -> None:
    profiles = [Profile.MCU, Profile.SIMD]
    modules = {Profile.MCU: guests.module("(i32.const 1)"), Profile.SIMD: guests.module(guests.ECHO)}
    guest = Container.parse(seal(guests.manifest(profiles=profiles), modules))
    with Application(guest) as application:
        assert application.run(INPUT)["serial"].tolist() == INPUT["features"]


def test_pages_of_one_byte() -> None:
    """1,000 bytes of memory: only pages of one byte can be that small."""
    code = guests.module(guests.ECHO, memory='(memory (export "memory") 1000 (pagesize 1))')
    manifest = guests.manifest(memory_bytes=1000, profiles=[Profile.MCU])
    with Application(Container.parse(seal(manifest, {Profile.MCU: code}))) as application:
        assert application.run(INPUT)["serial"].tolist() == INPUT["features"]


def test_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "app.rune"
    with pytest.raises(ContainerError, match=re.escape(f"{path}: cannot be read: No such file")):
        Application.load(path)
    path.write_bytes(seal(guests.manifest(), {Profile.SIMD: guests.assemble("(module)")}))
    with pytest.raises(ContainerError, match=re.escape(f"{path}: the module does not export a function")):
        Application.load(path)


def test_a_trap_does_not_end_the_application() -> None:
    """The first byte of the input says whether it traps."""
    body = """
        (drop (call $read (i32.const 0) (i32.const 16) (i32.const 4)))
        (if (i32.load8_u (i32.const 16)) (then unreachable))
        (drop (call $write (i32.const 0) (i32.const 16) (i32.const 4)))
        (i32.const 0)"""
    with Application(guests.container(guests.module(body))) as application:
        with pytest.raises(TrapError):
            application.run({"features": [1, 0, 0, 0]})
        assert application.run({"features": [0, 5, 6, 7]})["serial"].tolist() == [[0, 5, 6, 7]]


def test_closed() -> None:
    application = Application(guests.echo())
    application.close()
    application.close()
    with pytest.raises(UsageError, match="the application is closed"):
        application.run(INPUT)


def test_threads_take_turns(echo: Application) -> None:
    wrong: list[object] = []

    def run(number: int) -> None:
        for _ in range(20):
            found = echo.run({"features": [number] * 4})["serial"].tolist()
            if found != [[number] * 4]:
                wrong.append(found)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def workers() -> set[int]:
    """Processes whose parent is this one."""
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text()
    return {int(pid) for pid in children.split()}


def test_no_process_is_left() -> None:
    before = workers()
    application = Application(guests.echo())
    (pid,) = workers() - before
    application.close()
    assert not Path(f"/proc/{pid}").exists()


def test_an_application_that_is_forgotten_ends_its_process() -> None:
    before = workers()
    application = Application(guests.echo())
    (pid,) = workers() - before
    del application
    gc.collect()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("text", ["(module)", f"(module {guests.MEMORY} (func $s) (start $s))"])
def test_a_refused_container_leaves_no_process(text: str) -> None:
    before = workers()
    with pytest.raises(ContainerError):
        Application(guests.container(guests.assemble(text)))
    assert workers() == before


def test_a_process_that_dies() -> None:
    before = workers()
    with Application(guests.echo()) as application:
        (pid,) = workers() - before
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(TrapError, match="the process that ran the container ended by signal 9"):
            application.run(INPUT)
        assert application.run(INPUT)["serial"].tolist() == INPUT["features"]


def test_an_interrupt_is_for_the_host() -> None:
    before = workers()
    with Application(guests.echo()) as application:
        (pid,) = workers() - before
        os.kill(pid, signal.SIGINT)
        assert application.run(INPUT)["serial"].tolist() == INPUT["features"]


def test_the_process_dies_with_its_host_even_in_an_endless_loop(tmp_path: Path) -> None:
    path = tmp_path / "endless.rune"
    body = "(i32.store (i32.const 0) (i32.const 1)) (loop $l (br $l)) (unreachable)"
    path.write_bytes(seal(guests.manifest(), {Profile.SIMD: guests.module(body)}))
    script = f"""
import os, threading
from runtime.application import Application
application = Application.load({str(path)!r})
children = open("/proc/self/task/%d/children" % os.getpid()).read()
threading.Thread(target=application.run, args=({INPUT!r},)).start()
while application.operator() != 1:
    pass
print(children.split()[0], flush=True)
"""
    host = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT)
    assert host.stdout is not None
    pid = int(host.stdout.readline())
    host.kill()
    host.wait()
    host.stdout.close()
    assert ends_within(pid, 5.0)


def ends_within(pid: int, time_s: float) -> bool:
    end = time.monotonic() + time_s
    while time.monotonic() < end:
        status = Path(f"/proc/{pid}/stat")
        try:
            if status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True  # Dead; whoever inherited it has not looked yet.
        except OSError:
            return True
    return False


def test_loading_has_a_deadline() -> None:
    with pytest.raises(LimitError, match=r"the container was ended: it took longer than 0 s to load"):
        Application(guests.echo(), limits=Limits(load_s=0.0))


def test_fuel_is_counted_and_repeats() -> None:
    with Application(guests.echo(), limits=Limits(fuel=1000)) as application:
        used = {application.infer({"features": b"1234"}).fuel for _ in range(3)}
    (fuel,) = used
    assert fuel is not None
    assert 5 < fuel < 50


def test_loading_a_container_imports_no_compiler() -> None:
    script = (
        "import sys, runtime.application, container.values; print(*({'tvm', 'wasmtime'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert found.stdout == "\n"


def test_no_foreign_exception(echo: Application) -> None:
    """Whatever is handed in, what comes out is ours."""
    for value in (
        None,
        object(),
        {},
        "text",
        b"1234",
        [[]],
        [None] * 4,
        np.zeros((1, 4), "M8[s]"),
        [1e400] * 4,
    ):
        with pytest.raises(RuneError):
            echo.run({"features": value})


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(deadline_s=-1), "the limit deadline_s is -1 s, expected 0 to 86,400"),
        (Limits(deadline_s=float("inf")), "the limit deadline_s is inf s, expected 0 to 86,400"),
        (Limits(load_s=float("nan")), "the limit load_s is nan s, expected 0 to 86,400"),
        (Limits(fuel=-1), "the limit fuel is -1, expected 0 to 4,611,686,018,427,387,904"),
    ],
)
def test_limits_that_are_none(limits: Limits, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Application(guests.echo(), limits=limits)
    assert caught.value.message == message


def test_no_process_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(RuneError, match="no process can be started: No such file or directory"):
        Application(guests.echo())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_process_is_confined() -> None:
    before = workers()
    with Application(guests.echo()):
        (pid,) = workers() - before
        limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0", limits)
    assert re.search(rf"Max data size +{4 << 30} +{4 << 30}", limits)
