"""Containers whose sensors are all the chip's own: they run by themselves, and `rune monitor` shows it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from container.errors import ExitCode, TrapError
from container.sections import Container, seal
from devices import board as boards
from devices.avr.build import AvrBuild, build_avr_image
from devices.avr.loop import loop_of
from devices.emulators import bootloaders
from devices.emulators.base import RunningEmulator, start_emulator
from devices.link import agent
from devices.link.messages import Output, Phase
from devices.link.session import RefusedError
from devices.monitor import Inference, Monitor
from tests.devices.aot import containers, guests
from tests.devices.avr.support import open_session
from tests.rune.commands import printed, rune
from tests.tools import needs, needs_simavr

UNO, MEGA = boards.load("uno"), boards.load("mega2560")
DEADLINE_S = 20.0
BOTH = """FROM runicos/base
CAPABILITY<U8[2]> dice RAND
CAPABILITY<U16[3]> light ADC --channel 2 --period-ms 200
OUT serial
RUN dice serial
RUN light serial
"""
LONG = "FROM runicos/base\nCAPABILITY<U8[300]> noise RAND\nOUT serial\nRUN noise serial\n"
FED = "FROM runicos/base\nCAPABILITY<U8[2]> dice RAW\nOUT serial\nRUN dice serial\n"


@pytest.fixture(autouse=True)
def tools() -> None:
    needs_simavr()


def marsaglia(count: int) -> bytes:
    """The upper bytes of his generator (13, 17, 5), from 1 on, which stands for a RAM full of zeros."""
    state, found = 1, bytearray()
    for _ in range(count):
        state ^= (state << 13) % (1 << 32)
        state ^= state >> 17
        state ^= (state << 5) % (1 << 32)
        found.append(state >> 24)
    return bytes(found)


@contextmanager
def looping(text: str, board: boards.Board = UNO) -> Iterator[tuple[RunningEmulator, Container, AvrBuild]]:
    """A board whose flash holds the container of a Runefile from the start."""
    container = containers.of_runefile(text)
    image = build_avr_image(container, board)
    with start_emulator(board, firmware=image.data) as emulator:
        yield emulator, container, image


@pytest.fixture(scope="module")
def uno() -> Iterator[RunningEmulator]:
    """One that loops; each opening of its port resets it."""
    needs_simavr()
    with looping(BOTH) as (emulator, _, _):
        yield emulator


def heard(emulator: RunningEmulator, container: Container, count: int) -> list[Inference]:
    """The first inferences that a monitor shows."""
    monitor = Monitor(
        lambda: open_session(emulator), manifest_of=lambda digest: container.manifest, for_s=DEADLINE_S
    )
    inferences = monitor.inferences()
    found = [next(inferences) for _ in range(count)]
    inferences.close()  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("board", [UNO, MEGA], ids=lambda board: board.name)
def test_monitor_shows_what_the_chip_senses(
    board: boards.Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with looping(BOTH, board) as (emulator, app, _):
        Path("app.rune").write_bytes(seal(app.manifest, app.modules, app.golden))
        arguments = [
            "monitor",
            "--board",
            board.name,
            "--port",
            str(emulator.port),
            "--container",
            "app.rune",
        ]
        until = rune(*arguments, "--until", '"seq":3', "--for", "20s")
        timed = rune(*arguments, "--for", "700ms")
    lines = [json.loads(line) for line in until.stdout.splitlines()]
    assert until.exit_code == timed.exit_code == ExitCode.OK
    assert [line["seq"] for line in lines][-2:] == [2, 3]
    values = [[output["values"] for output in line["outputs"]["serial"]] for line in lines]
    assert bytes(byte for dice, _ in values for byte in dice) in marsaglia(100)
    # Input 2 has 600 mV of 5 V; ten bits of which the least says 4.
    expected = 600 * 4096 / 5000
    assert all(abs(reading - expected) <= 4 and reading % 4 == 0 for _, light in values for reading in light)
    # The time is the listener's: the bootloader's second is not counted in.
    assert timed.stdout.count("\n") >= 1


def test_a_long_value_comes_in_parts_and_the_stack_holds() -> None:
    with looping(LONG) as (emulator, container, image):
        found = heard(emulator, container, 3)
        assert b"".join(inference.outputs[0] for inference in found) in marsaglia(20_000)
        assert [inference.sequence for inference in found] == list(
            range(found[0].sequence, found[0].sequence + 3)
        )
        with open_session(emulator) as session:
            agent.control(session, notify_s=1)
            end = time.monotonic() + DEADLINE_S
            while not session.outputs(time.monotonic() + 1) and time.monotonic() < end:
                pass
            used = agent.statistics(session).stack
            assert image.stack_bytes / 3 < used <= image.stack_bytes


def test_the_host_stops_the_loop_feeds_the_container_and_starts_the_loop_again(uno: RunningEmulator) -> None:
    with open_session(uno) as session:
        assert session.facts.caps == ("adc", "rand")
        assert agent.control(session).st is Phase.LOOPS
        assert agent.control(session, run=False).st is Phase.IDLE
        runs = agent.statistics(session).runs
        state = agent.begin(session, 0, reset=False)
        for sample in (b"ab", b"\1\0\2\0\3\0"):
            assert state.st is Phase.WAITS_FOR_SAMPLE
            state = agent.feed(session, state, 0, sample)
        assert (state.st, state.len) == (Phase.WAITS_FOR_TAKE, 2)
        assert agent.take(session, state, 0).data == b"ab"
        assert agent.statistics(session).runs == runs
        # The host's inference ends with the loop, and the loop with an inference of the host's.
        assert agent.control(session, run=True).st is Phase.LOOPS
        assert agent.take(session, state, 2).st is Phase.LOOPS
        end = time.monotonic() + DEADLINE_S
        while agent.statistics(session).runs < runs + 3 and time.monotonic() < end:
            pass
        looped = agent.control(session)
        assert (looped.st, looped.n >= 3) == (Phase.LOOPS, True)
        state = agent.begin(session, looped.n, reset=True)
        assert (state.st, state.port, state.off) == (Phase.WAITS_FOR_SAMPLE, 0, 0)
        assert agent.statistics(session).faults == 0


def test_the_period_is_kept_and_outputs_end_with_the_time_that_was_asked_for(uno: RunningEmulator) -> None:
    with open_session(uno) as session:
        first = agent.control(session, notify_s=1).n
        began = time.monotonic()
        seen = []
        while time.monotonic() < began + DEADLINE_S and (batch := session.outputs(time.monotonic() + 0.7)):
            seen += batch
        waited = time.monotonic() - began
        last = agent.control(session).n
        # Five in a second of the chip's, which may be longer than one of ours.
        assert 4 <= len({output.seq for output in seen}) <= 7
        assert 1.5 <= waited < DEADLINE_S
        assert last > seen[-1].seq >= first


FAULTY = """(module
  (import "rune" "read" (func $read (param i32 i32 i32) (result i32)))
  (import "rune" "write" (func $write (param i32 i32 i32) (result i32)))
  (memory (export "memory") 256 256 (pagesize 1))
  (global $count (mut i32) (i32.const 0))
  (func (export "run") (result i32)
    (drop (call $read (i32.const 0) (i32.const 64) (i32.const 4)))
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (if (i32.gt_u (global.get $count) (i32.const 250)) (then unreachable))
    (drop (call $write (i32.const 0) (i32.const 64) (i32.const 4)))
    (i32.const 0)))"""


def test_a_fault_ends_the_loop_with_its_cause_until_it_is_started_again() -> None:
    container = guests.of_text(FAULTY, memory=256, sensor="RAND")
    with start_emulator(UNO, firmware=build_avr_image(container, UNO).data) as emulator:
        monitor = Monitor(
            lambda: open_session(emulator), manifest_of=lambda digest: container.manifest, for_s=DEADLINE_S
        )
        with pytest.raises(TrapError, match="gave itself up"):
            list(monitor.inferences())
        with open_session(emulator) as session:
            agent.control(session, run=True, notify_s=10)
            end = time.monotonic() + DEADLINE_S
            told: list[Output] = []
            while not told and time.monotonic() < end:
                told = [item for item in session.outputs(time.monotonic() + 1) if item.cause is not None]
            assert [(item.seq, item.cause) for item in told] == [(250, 5)]
            assert (agent.control(session).st, agent.control(session).cause) == (Phase.FAILED, 5)
            assert agent.statistics(session).runs == 250
            assert agent.control(session, run=True).st is Phase.LOOPS


def test_a_container_that_the_host_feeds_has_no_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with looping(FED) as (emulator, _, image):
        result = rune("monitor", "--board", "uno", "--port", str(emulator.port), "--for", "1s")
        with open_session(emulator) as session:
            assert session.facts.caps == ()
            with pytest.raises(RefusedError) as caught:
                agent.control(session, run=True)
    assert result.exit_code == ExitCode.CONTAINER
    text = printed(result)
    assert "the container on the board `uno` does not run by itself: its sensors are the host's" in text
    assert caught.value.code == 8
    # Nor does it take any flash for one.
    assert b"notify\0" not in image.data
    assert b"notify\0" in build_avr_image(containers.of_runefile(BOTH), UNO).data


@pytest.mark.parametrize(
    ("sensors", "loops"),
    [
        (("U8[2] RAND",), True),
        (("U8[2] RAND", "I16[16000] SOUND --hz 16000"), False),
        (("F32[1] TEMPERATURE",), False),
        (("U8[2] RAW",), False),
    ],
)
def test_all_sensors_must_be_the_chips_own(sensors: tuple[str, ...], loops: bool) -> None:
    lines = ["FROM runicos/base", "OUT serial"]
    for number, sensor in enumerate(sensors):
        kind, rest = sensor.split(" ", 1)
        lines += [f"CAPABILITY<{kind}> s{number} {rest}", f"RUN s{number} serial"]
    manifest = containers.of_runefile("\n".join(lines) + "\n").manifest
    assert (loop_of(manifest, UNO) is not None) == loops


# Input 2 reads 488, input 0 reads 0.  Pins 13, 9, 7 and A0 (14) of an Uno: B5, B1, D7 and C0.
PINS = """FROM runicos/base
CAPABILITY<U16[1]> light ADC --channel 2
CAPABILITY<U16[1]> dark ADC --channel 0
PROC_BLOCK<U16[1],F32[1]> float hotg-ai/rune#proc-blocks/cast
PROC_BLOCK<U16[1],U32[1]> place hotg-ai/rune#proc-blocks/most_confident_indices --count 1
PROC_BLOCK<U32[1],UTF8[1]> word hotg-ai/rune#proc-blocks/label --labels=on,off
OUT pin at --pin {0} --threshold 488
OUT pin above --pin {1} --threshold 489
OUT pin number --pin {2} --threshold 487.5
OUT pin yes --pin {3} --label on
OUT pin no --pin {4} --label off
OUT pin nowhere --pin 200 --threshold 0
RUN light at
RUN light above
RUN light float number
RUN dark place word yes
RUN word no
RUN dark nowhere
"""


@pytest.fixture(scope="module")
def pins_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_simavr()
    program = tmp_path_factory.mktemp("pins") / "pins"
    source = Path(__file__).with_name("pins.c")
    subprocess.run(["gcc", "-O2", str(source), "-lsimavr", "-o", str(program)], check=True)
    return program


@pytest.mark.parametrize(
    ("board", "pins", "expected"),
    [
        (UNO, (13, 9, 7, 14, 2), {"B": (0x20, 0x22), "D": (0x80, 0x84), "C": (0x01, 0x01)}),
        (MEGA, (13, 53, 46, 69, 22), {"B": (0x80, 0x81), "L": (0x08, 0x08), "K": (0x80, 0x80), "A": (0, 1)}),
    ],
    ids=["uno", "mega2560"],
)
def test_pins_follow_outputs(
    board: boards.Board,
    pins: tuple[int, ...],
    expected: dict[str, tuple[int, int]],
    pins_program: Path,
    tmp_path: Path,
) -> None:
    image = build_avr_image(containers.of_runefile(PINS.format(*pins)), board)
    (tmp_path / "image").write_bytes(image.data)
    command = [str(pins_program), board.cpu.model, str(tmp_path / "image")]
    lines = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()
    found = {letter: (int(port, 16), int(ddr, 16)) for letter, port, ddr in map(str.split, lines)}
    assert {letter: state for letter, state in found.items() if state != (0, 0)} == {
        letter: state for letter, state in expected.items() if state != (0, 0)
    }


@pytest.mark.parametrize(("board", "variant"), [(UNO, "standard"), (MEGA, "mega")], ids=["uno", "mega2560"])
def test_pins_have_the_numbers_of_arduinos_own_tables(board: boards.Board, variant: str) -> None:
    needs("avr-gcc")
    folder = bootloaders.FOLDER.parent / "variants" / variant
    text = (folder / "pins_arduino.h").read_text()

    def table(name: str) -> list[str]:
        lines = text.split(f"{name}[] = {{")[1].split("};")[0].replace("\t", " ").splitlines()
        return [line.split(",")[0].split("/")[0].strip() for line in lines if line.strip(" ,")]

    ports = [entry for entry in table("digital_pin_to_port_PGM") if entry.startswith("P")]
    bits = [entry for entry in table("digital_pin_to_bit_mask_PGM") if entry.startswith("_BV")]
    assert len(ports) == len(bits) > 0
    assert [port[1] + bit.strip("_BV() ") for port, bit in zip(ports, bits, strict=True)] == list(
        board.chip.pins
    )
