"""Containers that try to get out, on boards in QEMU: the agent lives on and tells what it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devices.board import find
from devices.image import BoardImage
from devices.link import agent
from devices.link.messages import Phase, State
from devices.link.session import Session
from tests.devices.firmware.boards import begin, connect, feed, install, running_board
from tests.devices.firmware.guests import guest

DEADLINE_MS = 200
MEMORY, DIVISION, STACK, MPU, BUS, USAGE, FAULT, DEADLINE, CALL = 1, 3, 7, 16, 17, 18, 19, 20, 21

BODY = """
static uint32_t secret;
static volatile uint32_t sink;
static const uint32_t constant = 1;
__attribute__((noinline)) static uint32_t deeper(uint32_t n) {
  volatile uint32_t room[8];
  room[0] = n;
  return deeper(n + 1) + room[0];
}
static void jump(uint32_t address) { ((void (*)(void))(address | 1))(); }
static int32_t run(void) {
  uint32_t what = 0;
  READ(1, what);
  switch (what) {
    case 0: return 1234;
    case 1: sink = WORD(AGENT_RAM); break;
    case 2: WORD(AGENT_RAM) = 0; break;
    case 3: sink = WORD(0x40000000); break;
    case 4: WORD(PERIPHERAL) = 0xFF; break;
    case 5: secret = 0x47704770; jump((uint32_t)&secret); break; /* twice bx lr */
    case 6: jump(AGENT_CODE); break;
    case 7: for (;;) sink++;
    case 8: sink = deeper(0); break;
    case 9: __asm volatile("udf #0"); break;
    case 10: call(RUNE_CALL_READ, 1, AGENT_RAM, 4); break;
    case 11: call(RUNE_CALL_WRITE, 2, AGENT_RAM, 4); break;
    case 12: call(RUNE_CALL_WRITE, 2, (uint32_t)&secret, 0xFFFFFFFF); break;
    case 13: call(RUNE_CALL_READ, 1, (uint32_t)&constant, 4); break;
    case 14: call(99, 0, 0, 0); break;
    case 15: call(RUNE_CALL_TRAP, 3, 0, 0); break;
    case 16: call(RUNE_CALL_TRAP, 22, 0, 0); break;
    case 17: WORD(&constant) = 2; break;
    case 18: WORD(0xE000ED08) = 0x20000000; break; /* the vector table */
    case 19: __asm volatile("msr control, %0\\n isb" ::"r"(0)); WORD(AGENT_RAM) = 0; break;
    case 20: __asm volatile("cpsid i"); for (;;) sink++;
    case 21: __asm volatile("mov sp, %0\\n svc #0" ::"r"(AGENT_RAM + 256)); break;
    case 22: WORD(OTHER_SLOT) = 0; break;
    case 23: jump(0xFFFFFFFC); break; /* what returns from an exception elsewhere */
    case 24: __asm volatile("bkpt #1"); break;
    case 25: WORD(0xE000ED94) = 0; break; /* the memory protection unit off */
    case 26: sink = WORD(0xE0001004); WORD(0xE000ED0C) = 0x05FA0004; break; /* a reset */
  }
  return 0;
}
"""
EVERYWHERE = {
    "endless loop": (7, DEADLINE),
    "undefined instruction": (9, USAGE),
    "read into the agent": (10, CALL),
    "write from the agent": (11, CALL),
    "write around the end of memory": (12, CALL),
    "read into constants": (13, CALL),
    "call that does not exist": (14, CALL),
    "trap": (15, DIVISION),
    "trap with the agent's cause": (16, CALL),
    "breakpoint": (24, FAULT),
}
WITH_MPU = {
    "load from the agent's RAM": (1, MPU),
    "store to the agent's RAM": (2, MPU),
    "load from a peripheral": (3, MPU),
    "store to a peripheral": (4, MPU),
    "jump into RAM": (5, MPU),
    "jump into the agent": (6, MPU),
    "stack overflow": (8, STACK),
    "store to its constants": (17, MPU),
    "store to the vector table's address": (18, BUS),
    "privilege taken": (19, MPU),
    "interrupts off": (20, DEADLINE),
    "stack in the agent's RAM": (21, MPU),
    "store to the other slot": (22, MPU),
    "forged return from an exception": (23, MPU),
    "protection off": (25, BUS),
    "reset": (26, BUS),
}
CASES = [
    *(("mps2-an386", name) for name in EVERYWHERE | WITH_MPU),
    *(("nrf52840", name) for name in EVERYWHERE | WITH_MPU),
    *(("microbit", name) for name in EVERYWHERE),
]


def hostile(board_name: str, slot: int = 0) -> BoardImage:
    board = find(board_name)
    assert board.ram.agent is not None
    assert board.flash.agent is not None
    places = {
        "AGENT_RAM": board.ram.agent.start,
        "AGENT_CODE": board.flash.agent.start + 0x200,
        "PERIPHERAL": 0x40004000,
        "OTHER_SLOT": board.flash.slots[1 - slot].start,
    }
    defines = "".join(f"#define {name} {value:#x}u\n" for name, value in places.items())
    return guest(board_name, slot, defines + BODY)


@pytest.fixture(scope="module")
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session with a board that holds the hostile container."""
    with running_board(request.param) as port, connect(port) as opened:
        install(opened, hostile(request.param).encode())
        agent.control(opened, deadline_ms=DEADLINE_MS)
        yield opened


def provoke(session: Session, what: int) -> State:
    """How an inference goes whose sample is this number."""
    state = begin(session)
    assert state.st == Phase.WAITS_FOR_SAMPLE
    return feed(session, state, what.to_bytes(4, "little"))


@pytest.mark.parametrize(("session", "name"), CASES, indirect=["session"])
def test_the_agent_survives_and_tells_the_cause(session: Session, name: str) -> None:
    what, cause = (EVERYWHERE | WITH_MPU)[name]
    if cause == USAGE and not session.facts.mpu:
        cause = FAULT  # Armv6-M has one kind of fault
    faults = agent.statistics(session).faults
    state = provoke(session, what)
    assert (state.st, state.cause, state.op) == (Phase.FAILED, cause, 7)
    statistics = agent.statistics(session)
    assert statistics.fault is not None
    assert (statistics.fault.cause, statistics.faults) == (cause, faults + 1)
    again = provoke(session, 0)
    assert (again.st, again.code) == (Phase.FINISHED, 1234)
