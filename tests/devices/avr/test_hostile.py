"""Containers that misbehave on an AVR: the cause is told, and the runtime lives on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from smp.os_management import EchoWriteResponse
from smpclient.requests.os_management import EchoWrite

from container.errors import LimitError, TrapError
from container.sections import Container
from devices import board as boards
from devices.avr.build import build_avr_image
from devices.execution import BoardApplication
from devices.link import agent
from devices.link.messages import Phase
from devices.link.session import Session
from tests.devices.aot import guests
from tests.devices.avr.support import running
from tests.tools import needs_simavr

MEMORY = 256
CONSTANTS = 32
# What the first byte of the sample asks for; anything else is given back.
MISDEEDS = {
    1: ("(drop (i32.load offset=4294967295 (i32.const 16)))", "memory outside of its own"),
    2: ("(drop (i32.load16_u (i32.add (local.get $x) (i32.const 253))))", "memory outside of its own"),
    3: ("(i64.store (i32.add (local.get $x) (i32.const 246)) (i64.const -1))", "memory outside of its own"),
    4: ("(i32.store8 (i32.add (local.get $x) (i32.const 27)) (i32.const 1))", "memory outside of its own"),
    5: ("(drop (i32.load (i32.add (local.get $x) (i32.const 25))))", "memory outside of its own"),
    6: ("(memory.fill (i32.const 64) (i32.const 7) (i32.const 193))", "memory outside of its own"),
    7: ("(memory.copy (i32.const 16) (i32.const 64) (i32.const 8))", "memory outside of its own"),
    8: ("(drop (call $read (i32.const 0) (i32.const 16) (i32.const 4)))", "memory outside of its own"),
    9: ("(drop (call $write (i32.const 0) (i32.const 253) (i32.const 4)))", "memory outside of its own"),
    10: ("(drop (i32.div_s (i32.const 1) (i32.sub (local.get $x) (i32.const 10))))", "division by zero"),
    11: ("(drop (i32.div_s (i32.const -2147483648) (i32.sub (i32.const 10) (local.get $x))))", "overflow"),
    12: ("unreachable", "gave itself up"),
    13: ("(drop (call_indirect (type $run) (local.get $x)))", "indirect call"),
    14: ("(drop (call $deeper (local.get $x)))", "stack is used up"),
    15: ("(drop (i32.trunc_f32_s (f32.const nan)))", "no number"),
}
LOOP = 16
CASES = "".join(
    f"(if (i32.eq (local.get $x) (i32.const {n})) (then {code}))" for n, (code, _) in MISDEEDS.items()
)
TEXT = f"""(module
  (type $run (func (result i32)))
  (import "rune" "read" (func $read (param i32 i32 i32) (result i32)))
  (import "rune" "write" (func $write (param i32 i32 i32) (result i32)))
  (memory (export "memory") {MEMORY} {MEMORY} (pagesize 1))
  (table 20 funcref)
  (data (i32.const 16) "constants")
  (func $deeper (param $n i32) (result i32)
    (i32.store (i32.const 128) (call $deeper (i32.add (local.get $n) (i32.const 1))))
    (i32.xor (local.get $n) (i32.load (i32.const 128))))
  (func (export "run") (type $run) (local $x i32)
    (drop (call $read (i32.const 0) (i32.const 64) (i32.const 4)))
    (local.set $x (i32.load8_u (i32.const 64)))
    {CASES}
    (if (i32.eq (local.get $x) (i32.const {LOOP})) (then (loop $ever (br $ever))))
    (drop (call $write (i32.const 0) (i32.const 64) (i32.const 4)))
    (i32.const 0)))"""


@pytest.fixture(scope="module")
def guest() -> Container:
    needs_simavr()
    return guests.of_text(TEXT, read_only=CONSTANTS - 16, memory=MEMORY)


@pytest.fixture(scope="module")
def board(guest: Container) -> Iterator[tuple[BoardApplication, Session]]:
    uno = boards.load("uno")
    with running(guest, uno, build_avr_image(guest, uno).data, deadline_s=1.0) as found:
        yield found


def check_alive(application: BoardApplication) -> None:
    assert application.infer({"given": b"\xc8life"[:4]}).outputs == {0: b"\xc8lif"}


@pytest.mark.parametrize("number", MISDEEDS)
def test_a_misdeed_is_reported_and_ends_the_inference_alone(
    number: int, board: tuple[BoardApplication, Session]
) -> None:
    application, session = board
    faults = agent.statistics(session).faults
    with pytest.raises(TrapError, match=MISDEEDS[number][1]):
        application.infer({"given": bytes([number, 0, 0, 0])})
    check_alive(application)
    statistics = agent.statistics(session)
    assert statistics.faults == faults + 1
    assert session.reopened == 0


def test_an_endless_loop_ends_at_its_deadline(board: tuple[BoardApplication, Session]) -> None:
    application, session = board
    with pytest.raises(LimitError, match="longer than allowed"):
        application.infer({"given": bytes([LOOP, 0, 0, 0])})
    check_alive(application)
    assert session.reopened == 0


def test_the_runtime_answers_while_the_container_computes_and_can_be_told_to_begin_anew(
    guest: Container, board: tuple[BoardApplication, Session]
) -> None:
    application, session = board
    state = agent.begin(session, 7, reset=True)
    assert agent.feed(session, state, 0, bytes([LOOP, 0, 0, 0])).st is Phase.COMPUTES
    echo = session.request(EchoWrite(d="are you there?"), EchoWriteResponse)
    assert echo.r == "are you there?"
    assert agent.begin(session, 7, reset=False).st is Phase.COMPUTES
    # Another inference puts an end to this one, which is no fault.
    faults = agent.statistics(session).faults
    check_alive(application)
    assert agent.statistics(session).faults == faults
