"""Counting instructions in emulated boards: exact whatever the clock, bounded whatever the container."""

from __future__ import annotations

import pytest

from container.errors import BudgetError, LimitError, LinkError, RuneError, TrapError, UsageError
from devices.board import find
from devices.counting.log import FINISH, MARK, WRITE, Call, calls
from devices.counting.run import count
from devices.emulators import qemu
from tests.devices.firmware.guests import guest
from tests.runtime.guests import manifest
from tests.tools import needs

BOARDS = ("mps2-an386", "microbit", "netduinoplus2")
"""Their clocks tick every 40, 62.5 and 125/21 nanoseconds."""
WRITES = "call(RUNE_CALL_WRITE, 0, (uint32_t)&progress, 4); return 0;"
SLEDS = (0, 1, 2, 3, 5, 38, 39, 40, 41, 62, 63, 124, 125, 126, 1000)


def counted(board: str, body: str, *, samples: bytes = b"1234", deadline_s: float = 30) -> list[Call]:
    needs("qemu-system-arm")
    image = guest(board, 0, f"static int32_t run(void) {{ {body} }}")
    return count(find(board), image, manifest(), {0: samples}, deadline_s=deadline_s)


def executed(board: str, *lines: str) -> list[Call]:
    """The calls of a container that executes these instructions, and then writes."""
    needs("qemu-system-arm")
    text = "".join(f'"{line}\\n"' for line in ["movs r0, #4", *lines, "bx lr", ".ltorg"])
    work = f"__attribute__((naked)) static void work(void) {{ __asm volatile({text}); }}"
    image = guest(board, 0, f"{work} static int32_t run(void) {{ work(); {WRITES} }}")
    return count(find(board), image, manifest(), {}, deadline_s=30)


def mark(operator: int) -> list[str]:
    """One instruction more than the call itself takes."""
    return [f"movs r1, #{operator}", "svc #0"]


@pytest.mark.parametrize("board", BOARDS)
def test_to_the_very_instruction(board: str) -> None:
    """Between two calls there are as many instructions as the program has there, and the call's own two."""
    sleds = [line for n, size in enumerate(SLEDS) for line in [f".rept {size}", "nop", ".endr", *mark(n)]]
    found = executed(board, *mark(99), *sleds)
    marked = [call for call in found if call.number == MARK]
    assert [call.argument for call in marked] == [99, *range(len(SLEDS))]
    assert [call.instructions for call in marked[1:]] == [size + 2 for size in SLEDS]
    assert [call.number for call in found if call.number != MARK] == [FINISH, WRITE, FINISH]


def test_across_wraps_of_the_timer() -> None:
    """SysTick wraps after 2 ** 24 * 40 instructions."""
    rounds = 2**24 * 40 // 2
    loop = [f"ldr r2, ={rounds}", "1: subs r2, #1", "bne 1b"]
    found = executed("mps2-an386", *mark(1), *loop, *mark(2))
    (measured,) = (call.instructions for call in found if call.argument == 2 and call.number == MARK)
    assert measured == 1 + 2 * rounds + 2


@pytest.mark.parametrize("phase", range(5))
def test_a_wrap_at_any_place_of_a_call(phase: int) -> None:
    """Three hundred calls, of 1,800 instructions each, around the first wrap, after 99,864,381 instructions.

    A clock whose period is no whole number: QEMU rounds its wraps to a nanosecond.
    """
    loop = [
        "movw r2, #49800000 & 0xffff",
        "movt r2, #49800000 >> 16",
        "1: subs r2, #1",
        "bne 1b",
        f".rept {phase * 363}",
        "nop",
        ".endr",
    ]
    found = executed("netduinoplus2", *loop, *mark(1), *(line for _ in range(300) for line in mark(2)))
    gaps = [call.instructions for call in found if call.number == MARK and call.argument == 2]
    assert len(gaps) == 300
    assert sum(gap != 2 for gap in gaps) <= 1
    assert set(gaps) <= {1, 2, 3}


def test_what_the_sample_says_decides() -> None:
    """A loop as long as the sample's first byte says: it was fed, and is counted."""
    body = (
        "uint32_t sample; call(RUNE_CALL_READ, 0, (uint32_t)&sample, 4);"
        'register uint32_t rounds __asm("r2") = sample & 255;'
        '__asm volatile("1: subs %0, #1\\n bne 1b" : "+r"(rounds) :: "cc");'
    )
    few, many = (
        sum(
            call.instructions
            for call in counted("mps2-an386", body + WRITES, samples=bytes([rounds, 0, 0, 0]))
        )
        for rounds in (3, 203)
    )
    assert many - few == 2 * 200


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("for (;;) {}", LimitError, "it took longer than allowed"),
        ("call(77, 0, 0, 0); return 0;", TrapError, "a call to the agent that does not exist"),
        ("call(RUNE_CALL_TRAP, 3, 0, 0); return 0;", TrapError, "division by zero"),
        ("WORD(0x90000000) = 1; return 0;", TrapError, "a fault of the processor"),
        ('__asm("svc #0\\n bkpt 0xab"); return 0;', TrapError, "the container was ended"),
        ("for (;;) call(RUNE_CALL_MARK, 0, 0, 0);", BudgetError, "no room to write down more"),
        ("return 0;", TrapError, "without writing output 0"),
        ("return 0x102;", TrapError, "gave up"),
        ("call(RUNE_CALL_READ, 0, 0x20000000 - 8, 4); return 0x101;", TrapError, "gave up"),
    ],
)
def test_containers_that_end_otherwise(body: str, kind: type[RuneError], words: str) -> None:
    with pytest.raises(kind, match=words):
        counted("mps2-an386", body, deadline_s=2)


def test_a_board_whose_emulator_does_not_count() -> None:
    image = guest("nrf52840", 0, f"static int32_t run(void) {{ {WRITES} }}")
    with pytest.raises(UsageError, match="nothing counts the instructions of nrf52840"):
        count(find("nrf52840"), image, manifest(), {}, deadline_s=1)


def test_without_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    image = guest("mps2-an386", 0, f"static int32_t run(void) {{ {WRITES} }}")
    monkeypatch.setattr(qemu, "PROGRAM", "no-such-program")
    with pytest.raises(RuneError, match="needs no-such-program, which is not installed"):
        count(find("mps2-an386"), image, manifest(), {}, deadline_s=1)


def test_a_counter_that_is_not_exact_is_noticed() -> None:
    """A log in which the 100 known instructions took 80: two ticks of 40."""
    words = [(4, 0, 0, 1000 - 20 * n, 0, 0, 1000 - 20 * n - 2, 0) for n in range(5)]
    log = b"".join(word.to_bytes(4, "little") for event in words for word in event)
    with pytest.raises(LinkError, match="does not count instructions exactly"):
        calls(find("mps2-an386"), log)
