"""Containers on boards in QEMU: fed by the host, in the board's own loop, tried, rolled back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from smp.image_management import ImageUploadWriteRequest, ImageUploadWriteResponse

from devices.link import agent
from devices.link.messages import FeedWrite, Output, Phase, State, TakeWrite
from devices.link.session import RefusedError, Session
from devices.link.upload import upload
from tests.devices.firmware.boards import (
    begin,
    connect,
    feed,
    install,
    running_board,
    settled,
    take,
)
from tests.devices.firmware.guests import RANDOM_PORTS, SHA256, STACK_BYTES, guest, lying

NOT_SUPPORTED, CORRUPT = 8, 9
DEADLINE_CAUSE, USAGE_CAUSE, CALL_CAUSE = 20, 18, 21
LIMIT_S = 20.0

COUNTING = """
static uint32_t runs;
static int32_t run(void) {
  uint32_t value = 0;
  if (READ(1, value) != sizeof value) return 1;
  call(RUNE_CALL_MARK, 3, 0, 0);
  runs++;
  value += runs;
  call(RUNE_CALL_MARK, 5, 0, 0);
  return WRITE(2, value) == sizeof value ? -2 : 3;
}
"""
ADDING = """
static int32_t run(void) {
  uint32_t first = 0, second = 0;
  READ(1, first);
  READ(1, second);
  first += second;
  WRITE(2, first);
  return 0;
}
"""
REVERSING = """
static uint8_t data[5000];
static int32_t run(void) {
  READ(1, data);
  for (uint32_t i = 0; i < sizeof data / 2; i++) {
    uint8_t first = data[i];
    data[i] = data[sizeof data - 1 - i];
    data[sizeof data - 1 - i] = first;
  }
  WRITE(2, data);
  return 0;
}
"""
ENDLESS = "static int32_t run(void) { for (;;) progress = 7; }\n"
FAULTY = '__attribute__((noinline)) static int32_t run(void) { __asm volatile("udf #0"); return 0; }\n'
DRAWING = """
static int32_t run(void) {
  static uint8_t value[200];
  READ(1, value);
  WRITE(2, value);
  return 0;
}
"""


@pytest.fixture(scope="module", params=["mps2-an386", "microbit"])
def board(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def session(board: str) -> Iterator[Session]:
    """A session with a fresh board."""
    with running_board(board) as port, connect(port) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(board: str) -> Iterator[Session]:
    """A session with a board whose container each test puts there."""
    with running_board(board) as port, connect(port) as opened:
        yield opened


def put(session: Session, body: str, ports: str | None = None) -> State:
    """Make a container the confirmed and only one."""
    states = {state.slot: state for state in agent.images(session)}
    slot = 1 if 0 in states and states[0].confirmed else 0
    name = session.facts.board
    image = guest(name, slot, body) if ports is None else guest(name, slot, body, ports)
    return install(session, image.encode())


def word(value: int) -> bytes:
    return value.to_bytes(4, "little")


def test_an_inference_reads_and_writes(shared: Session) -> None:
    assert put(shared, COUNTING).st == Phase.IDLE
    asked = begin(shared)
    assert (asked.st, asked.port, asked.len, asked.off, asked.call) == (Phase.WAITS_FOR_SAMPLE, 1, 4, 0, 1)
    written = feed(shared, asked, word(41))
    assert (written.st, written.port, written.len, written.call) == (Phase.WAITS_FOR_TAKE, 2, 4, 2)
    assert agent.take(shared, written, 0).data == word(42)
    done = take(shared, written)
    assert (done.st, done.code) == (Phase.FINISHED, -2)
    assert 0 < done.cycles < shared.facts.hz


def test_memory_stays_until_the_host_wants_it_fresh(shared: Session) -> None:
    put(shared, COUNTING)
    values = []
    for reset in (False, False, True, False):
        written = feed(shared, begin(shared, reset=reset), word(0))
        values.append(agent.take(shared, written, 0).data)
        take(shared, written)
    assert values == [word(1), word(2), word(1), word(2)]


def test_repeated_requests_change_nothing(shared: Session) -> None:
    put(shared, COUNTING)
    asked = begin(shared)
    runs = agent.statistics(shared).runs
    assert agent.begin(shared, asked.n, reset=True).call == asked.call
    written = feed(shared, asked, word(5))
    again = shared.request(FeedWrite(n=asked.n, call=asked.call, off=0, data=word(9)), State)
    assert (again.st, again.call) == (Phase.WAITS_FOR_TAKE, written.call)
    assert agent.take(shared, written, 0).data == word(6)
    done = take(shared, written)
    after = shared.request(TakeWrite(n=written.n, call=written.call, off=written.len), State)
    assert (after.st, after.code, after.cycles) == (done.st, done.code, done.cycles)
    assert agent.statistics(shared).runs == runs + 1


def test_a_repeated_sample_is_not_taken_for_the_next_one(shared: Session) -> None:
    put(shared, ADDING)
    first = begin(shared)
    second = feed(shared, first, word(3))
    again = feed(shared, first, word(3))
    assert (again.st, again.call, again.off) == (Phase.WAITS_FOR_SAMPLE, second.call, 0)
    written = feed(shared, second, word(4))
    assert agent.take(shared, written, 0).data == word(7)


def test_what_does_not_fit_a_packet_comes_in_parts(shared: Session) -> None:
    put(shared, REVERSING)
    sample = bytes(number * number >> 3 & 0xFF for number in range(5000))
    state = begin(shared)
    for offset in range(0, 5000, 700):
        assert (state.st, state.off) == (Phase.WAITS_FOR_SAMPLE, offset)
        state = settled(shared, agent.feed(shared, state, offset, sample[offset : offset + 700]))
    value = b""
    while len(value) < 5000:
        value += agent.take(shared, state, len(value)).data
    assert value == sample[::-1]
    assert take(shared, state).st == Phase.FINISHED


def test_statistics_tell_what_was_used(shared: Session) -> None:
    put(shared, COUNTING)
    before = agent.statistics(shared).runs
    take(shared, feed(shared, begin(shared), word(1)))
    found = agent.statistics(shared)
    assert found.runs == before + 1
    assert [operator for operator, _ in found.marks] == [3, 5]
    assert sum(cycles for _, cycles in found.marks) <= found.cycles
    assert 32 <= found.stack <= STACK_BYTES
    assert found.stack < found.ram <= found.stack + 24
    assert agent.facts(shared).container == SHA256


def test_the_agent_answers_while_a_container_computes(shared: Session) -> None:
    put(shared, ENDLESS)
    agent.control(shared, deadline_ms=1500)
    state = begin_without_waiting(shared)
    assert state.st == Phase.COMPUTES
    assert agent.facts(shared).board == shared.facts.board
    state = settled(shared, state)
    assert (state.st, state.cause, state.op) == (Phase.FAILED, DEADLINE_CAUSE, 7)


def begin_without_waiting(session: Session) -> State:
    return agent.begin(session, 1_000_000, reset=False)


def test_the_deadline_does_not_count_the_host_s_time(shared: Session) -> None:
    put(shared, COUNTING)
    agent.control(shared, deadline_ms=50)
    state, until = begin(shared), time.monotonic() + 0.3
    while time.monotonic() < until:
        assert agent.control(shared).st == Phase.WAITS_FOR_SAMPLE
    assert feed(shared, state, word(0)).st == Phase.WAITS_FOR_TAKE


def test_a_loop_needs_the_board_s_own_sensors(shared: Session) -> None:
    put(shared, COUNTING)
    with pytest.raises(RefusedError) as refused:
        agent.control(shared, run=True)
    assert refused.value.code == NOT_SUPPORTED


def test_the_board_s_loop_tells_its_outputs(shared: Session) -> None:
    assert put(shared, DRAWING, RANDOM_PORTS).st == Phase.LOOPS
    agent.control(shared, notify_s=10)
    values: dict[int, bytes] = {}
    until = time.monotonic() + LIMIT_S
    while sum(len(value) == 200 for value in values.values()) < 4:
        assert time.monotonic() < until, "no four outputs in time"
        for part in shared.outputs(until):
            assert (part.port, part.len) == (2, 200)
            if part.seq in values or part.off == 0:
                values[part.seq] = values.get(part.seq, b"") + part.data
    sequences = sorted(values)
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    whole = [value for value in values.values() if len(value) == 200]
    assert len(set(whole)) == len(whole), "random samples repeat"
    assert agent.control(shared, run=False, notify_s=0).st == Phase.IDLE


def test_a_fault_of_the_loop_is_told(shared: Session) -> None:
    agent.control(shared, notify_s=30)
    put(shared, "static int32_t run(void) { return (int32_t)call(99, 0, 0, 0); }", RANDOM_PORTS)
    until = time.monotonic() + LIMIT_S
    faults: list[Output] = []
    while not faults:
        assert time.monotonic() < until, "no fault in time"
        faults += [output for output in shared.outputs(until) if output.cause is not None]
    assert [(fault.cause, fault.op) for fault in faults] == [(CALL_CAUSE, 7)]
    assert agent.control(shared).st == Phase.FAILED


def test_a_tried_container_that_faults_is_taken_back(session: Session) -> None:
    put(session, COUNTING)
    bad = guest(session.facts.board, 1, FAULTY).encode()
    upload(session, bad)
    agent.try_next(session, bad[-32:])
    agent.control(session, start=True)
    assert active_slot(session) == 1
    state = begin(session)
    assert (state.st, state.cause) == (Phase.FAILED, usage(session))
    assert begin(session).st == Phase.WAITS_FOR_SAMPLE
    assert active_slot(session) == 0


def test_a_container_that_cannot_even_begin_is_taken_back(session: Session) -> None:
    put(session, COUNTING)
    bad = guest(session.facts.board, 1, COUNTING, first='__asm volatile("udf #0");').encode()
    upload(session, bad)
    agent.try_next(session, bad[-32:])
    assert settled(session, agent.control(session, start=True)).st == Phase.IDLE
    assert active_slot(session) == 0
    found = agent.statistics(session).fault
    assert found is not None
    assert (found.slot, found.cause) == (1, usage(session))


def test_a_tried_container_that_is_not_confirmed_is_gone_after_a_reset(session: Session) -> None:
    put(session, COUNTING)
    good = guest(session.facts.board, 1, REVERSING).encode()
    upload(session, good)
    agent.try_next(session, good[-32:])
    agent.reset(session)
    assert active_slot(session) == 1
    agent.reset(session)
    assert active_slot(session) == 0


def active_slot(session: Session) -> int | None:
    return next((state.slot for state in agent.images(session) if state.active), None)


def usage(session: Session) -> int:
    """Armv6-M has one kind of fault."""
    return USAGE_CAUSE if session.facts.mpu else 19


@pytest.mark.parametrize(
    "lie",
    [
        {"board": "another"},
        {"address": 0x2000},
        {"entry": 0x2000_0000},
        {"ram_start": 0x2000_0010, "ram_bytes": 0x10_0000},
        {"ram_start": 0x4000_0000},
        {"stack_bytes": 8},
        {"progress": 0x4000_0000},
        {"ports": 0x2000_0000},
    ],
    ids=lambda lie: "-".join(lie),
)
def test_a_header_that_lies_is_refused(shared: Session, lie: dict[str, int | str]) -> None:
    states = {state.slot: state for state in agent.images(shared)}
    slot = 1 if 0 in states and states[0].confirmed else 0
    data = lying(guest(shared.facts.board, slot, COUNTING), **lie)
    with pytest.raises(RefusedError) as refused:
        send(shared, data)
    assert refused.value.code == CORRUPT
    assert slot not in {state.slot for state in agent.images(shared)}


def send(session: Session, data: bytes) -> None:
    """Upload, without repeating what is refused."""
    offset, size = 0, 512
    while offset < len(data):
        length = None if offset else len(data)
        request = ImageUploadWriteRequest(off=offset, data=data[offset : offset + size], len=length)
        answer = session.request(request, ImageUploadWriteResponse)
        assert answer.off is not None
        assert answer.off > offset
        offset = answer.off
