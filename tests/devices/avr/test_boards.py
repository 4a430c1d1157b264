"""Containers on emulated Arduino boards, through their real bootloaders and avrdude."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from container.golden import parse
from container.sections import Container
from devices import board as boards
from devices.avr.build import build_avr_image
from devices.emulators.base import start_emulator
from devices.execution import BoardApplication
from devices.link import agent
from devices.link.session import Session
from devices.loaders.avrdude import flash_avr
from tests.devices.aot import containers, guests
from tests.devices.avr.support import open_session, running
from tests.tools import needs_simavr


@pytest.fixture(autouse=True)
def tools() -> None:
    needs_simavr()


def check_vectors(container: Container, application: BoardApplication, count: int) -> None:
    """Every bit as this machine has it; golden vectors of integers are the reference engine's."""
    assert container.golden is not None
    for vector in parse(container.golden, container.manifest)[:count]:
        assert application.infer(vector.inputs).outputs == vector.outputs


def check_stack(session: Session, bound: int) -> None:
    """What was used is less than what was promised, and not far from it."""
    used = agent.statistics(session).stack
    assert bound / 3 < used <= bound


@pytest.mark.parametrize(
    ("name", "examples"), [("uno", ("sine/int8.Runefile", "digits")), ("mega2560", ("sine/int8.Runefile",))]
)
def test_containers_arrive_through_avrdude_and_answer_as_their_golden_vectors(
    name: str, examples: Sequence[str]
) -> None:
    board = boards.load(name)
    with start_emulator(board) as emulator:
        for example in examples:
            container, phases = containers.example(example), list[str]()
            flashed = flash_avr(container, board, str(emulator.port), phases.append)
            assert phases == ["translate", "upload", "start"]
            assert flashed.container_sha256 == container.digest
            session = open_session(emulator)
            with BoardApplication(container, session) as application:
                check_vectors(container, application, 3)
                check_stack(session, flashed.build.stack_bytes)


@pytest.mark.parametrize(
    ("board", "model", "count"), [("uno", "hello_float", 4), ("mega2560", "micro_speech", 1)]
)
def test_models_give_the_bits_of_this_machine(board: str, model: str, count: int) -> None:
    container = containers.model(model)
    image = build_avr_image(container, boards.load(board))
    with running(container, boards.load(board), image.data) as (application, session):
        for vector in containers.vectors(container, count):
            assert application.infer(vector.inputs).outputs == vector.outputs
        check_stack(session, image.stack_bytes)
        assert agent.statistics(session).runs == count


def test_constants_may_lie_beyond_the_reach_of_the_short_instruction() -> None:
    # 70,000 bytes of which each tells its place, 4 of RAM that begin with others than zero.
    constants = bytes(place * 7 + (place >> 8) & 0xFF for place in range(70_000))
    start, memory = 16 + len(constants), 16 + len(constants) + 64
    text = f"""(module
      (import "rune" "read" (func $read (param i32 i32 i32) (result i32)))
      (import "rune" "write" (func $write (param i32 i32 i32) (result i32)))
      (memory (export "memory") {memory} {memory} (pagesize 1))
      (data (i32.const 16) "{"".join(f"{chr(92)}{byte:02x}" for byte in constants)}")
      (data (i32.const {start + 16}) "RAM!")
      (func (export "run") (result i32)
        (drop (call $read (i32.const 0) (i32.const {start}) (i32.const 4)))
        (i32.store (i32.const {start + 8}) (i32.load (i32.load (i32.const {start}))))
        (i32.store (i32.const {start + 12}) (i32.load (i32.const {start + 16})))
        (drop (call $write (i32.const 0) (i32.const {start + 8}) (i32.const 8)))
        (i32.const 0)))"""
    container = guests.of_text(text, read_only=len(constants), memory=memory, taken=8)
    board = boards.load("mega2560")
    with running(container, board, build_avr_image(container, board).data) as (application, _):
        for place in (0, 4_321, 61_000, 65_533, 65_536, 69_996):
            given = {"given": (16 + place).to_bytes(4, "little")}
            assert application.infer(given).outputs == {0: constants[place : place + 4] + b"RAM!"}
