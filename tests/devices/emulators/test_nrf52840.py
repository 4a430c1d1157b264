"""The virtual nRF52840 by small programs: expected values are those of Arm's and Nordic's manuals."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.emulators.nrf52840.power import ResetReason
from tests.devices.emulators.machine import Machine

POISON = 0xA5A5_A5A5


def words(source: str, folder: Path) -> list[int]:
    return Machine(source, folder).run()


def test_the_uart_echoes_by_polling(tmp_path: Path) -> None:
    machine = Machine("void start(void) { uart_on(); for (;;) put(get()); }", tmp_path)
    machine.input = bytes(range(256)) * 4
    expected = machine.input
    machine.run(lambda: len(machine.said) >= len(expected))
    assert machine.said == expected


def test_the_uart_echoes_by_interrupts_while_the_program_sleeps(tmp_path: Path) -> None:
    source = """
    void uart(void) { REG(UART + 0x108) = 0; put((uint8_t)REG(UART + 0x518)); }
    void start(void) { uart_on(); REG(UART + 0x304) = 4; REG(0xe000e100) = 4; for (;;) __asm("wfi"); }
    """
    machine = Machine(source, tmp_path)
    machine.input = b"one byte, one interrupt"
    machine.run(lambda: len(machine.said) >= 23)
    assert machine.said == b"one byte, one interrupt"


def test_flash_is_written_and_erased_by_words_and_pages(tmp_path: Path) -> None:
    source = """
    void start(void) {
      uart_on();
      REG(NVMC + 0x504) = 1; REG(0x10000) = 0x12345678; REG(0x10ffc) = 1; REG(0x11000) = 2;
      say(REG(0x10000));
      REG(NVMC + 0x504) = 2; REG(NVMC + 0x508) = 0x10000; REG(NVMC + 0x504) = 0;
      say(REG(0x10000)); say(REG(0x10ffc)); say(REG(0x11000));
      end();
    }
    """
    machine = Machine(source, tmp_path)
    assert machine.run() == [0x1234_5678, 0xFFFF_FFFF, 0xFFFF_FFFF, 2]
    assert machine.reports == []
    # Three words of 41 us and a page of 85 ms, at 64 MHz.
    assert 0 <= machine.clock.now - (3 * 41 + 85_000) * 64 < 100_000


def test_written_words_can_only_lose_bits(tmp_path: Path) -> None:
    source = """
    void start(void) {
      uart_on(); REG(NVMC + 0x504) = 1; REG(0x10000) = 0x0f; REG(0x10000) = 0xf1;
      __asm volatile("isb");
      say(REG(0x10000)); end();
    }
    """
    machine = Machine(source, tmp_path)
    assert machine.run() == [0x01]
    assert machine.reports == ["flash: a second write to 0x10000 without an erasure between"]


@pytest.mark.parametrize(
    ("access", "report"),
    [
        ("REG(0x10000) = 1", "a write to 0x10000 while CONFIG is 0"),
        ("REG(NVMC + 0x504) = 2; REG(0x10000) = 1", "a write to 0x10000 while CONFIG is 2"),
        (
            "REG(NVMC + 0x504) = 1; *(volatile uint8_t *)0x10001 = 1",
            "a write of 1 bytes to 0x10001: only aligned words can be written",
        ),
    ],
)
def test_forbidden_writes_to_flash_fault(access: str, report: str, tmp_path: Path) -> None:
    source = f"""
    void hard_fault(void) {{ say(REG(0xe000ed28)); say(REG(0x10000)); end(); }}
    void start(void) {{ uart_on(); {access}; say(0xbad); end(); }}
    """
    machine = Machine(source, tmp_path)
    # PRECISERR and BFARVALID; nothing was written.
    assert machine.run() == [0x8200, 0xFFFF_FFFF]
    assert machine.reports == [f"flash: {report}"]


def test_pages_are_not_erased_while_that_is_not_enabled(tmp_path: Path) -> None:
    source = """
    void start(void) {
      uart_on(); REG(NVMC + 0x504) = 1; REG(0x10000) = 7; REG(NVMC + 0x508) = 0x10000;
      say(REG(0x10000)); end();
    }
    """
    machine = Machine(source, tmp_path)
    assert machine.run() == [7]
    assert machine.reports == ["flash: ERASEPAGE of 0x10000 while CONFIG is 1"]


def test_systick_interrupts_a_busy_program_every_period(tmp_path: Path) -> None:
    source = """
    static volatile uint32_t ticks;
    void systick(void) { ticks++; }
    void start(void) {
      uart_on(); ticks = 0;
      REG(0xe000e014) = 63999; REG(0xe000e018) = 0; REG(0xe000e010) = 7;
      REG(0xe000edfc) |= 1 << 24; REG(0xe0001000) |= 1; REG(0xe0001004) = 0;
      while (ticks < 10) {}
      say(REG(0xe0001004)); end();
    }
    """
    (cycles,) = words(source, tmp_path)
    assert 640_000 - 100 < cycles < 640_000 + 1000


def test_time_that_is_slept_passes_to_the_very_cycle(tmp_path: Path) -> None:
    source = """
    static volatile uint32_t at[3], count;
    void timer(void) { REG(0x40008140) = 0; at[count++] = REG(0xe0001004); }
    void start(void) {
      uart_on(); count = 0;
      REG(0xe000edfc) |= 1 << 24; REG(0xe0001000) |= 1;
      REG(0x40008508) = 3; REG(0x40008510) = 4; REG(0x40008540) = 1000; REG(0x40008200) = 1;
      REG(0x40008304) = 1 << 16; REG(0xe000e100) = 1 << 8; REG(0x40008000) = 1;
      while (count < 3) __asm volatile("wfi");
      say(at[1] - at[0]); say(at[2] - at[1]); end();
    }
    """
    # 1000 ticks of 1 us, at 64 MHz; deterministic, so the very same each time.
    assert words(source, tmp_path) == [64_000, 64_000]


def test_a_loop_takes_as_many_cycles_as_it_has_instructions(tmp_path: Path) -> None:
    source = """
    void start(void) {
      uart_on(); REG(0xe000edfc) |= 1 << 24; REG(0xe0001000) |= 1;
      uint32_t before = REG(0xe0001004), count = 1000;
      __asm volatile("1: add.w %0, %0, #0\\n nop\\n subs %0, #1\\n bne 1b" : "+r"(count) : : "cc");
      say(REG(0xe0001004) - before); end();
    }
    """
    (cycles,) = words(source, tmp_path)
    assert 4000 <= cycles <= 4020


def test_unprivileged_code_on_its_own_stack_calls_the_supervisor(tmp_path: Path) -> None:
    source = """
    static uint32_t stack[64];
    __attribute__((used)) static void serve(uint32_t *frame) {
      uint32_t control; __asm volatile("mrs %0, control" : "=r"(control));
      say(control); say((uint32_t)frame >= (uint32_t)stack && (uint32_t)frame < (uint32_t)(stack + 64));
      frame[0] = frame[0] * 2 + ((uint16_t *)frame[6])[-1];
    }
    __attribute__((naked)) void svc(void) { __asm volatile("mrs r0, psp\\n b serve"); }
    void start(void) {
      uart_on();
      __asm volatile("msr psp, %0\\n msr control, %1\\n isb" : : "r"(stack + 64), "r"(3));
      register uint32_t r0 __asm("r0") = 21;
      __asm volatile("svc #5" : "+r"(r0) : : "memory");
      uint32_t control; __asm volatile("msr control, %1\\n mrs %0, control" : "=r"(control) : "r"(0));
      say(r0); say(control); end();
    }
    """
    # In the handler nPRIV and SPSEL read as they were; unprivileged code cannot change them.
    assert words(source, tmp_path) == [3, 1, 42 + 0xDF05, 3]


def test_the_fpu_survives_exceptions(tmp_path: Path) -> None:
    source = """
    void pend_sv(void) { __asm volatile("vmov s0, %0\\n vmov s15, %0\\n vmsr fpscr, %1" : : "r"(0), "r"(0)); }
    void start(void) {
      uart_on(); uint32_t first, last, status;
      REG(0xe000ed88) |= 0xf << 20;
      __asm volatile("dsb\\n isb\\n vmov s0, %0\\n vmov s15, %1\\n vmsr fpscr, %2"
                     : : "r"(0x3f800000), "r"(0x40490fdb), "r"(0x60000000));
      REG(0xe000ed04) = 1 << 28;
      __asm volatile("dsb\\n isb\\n vmov %0, s0\\n vmov %1, s15\\n vmrs %2, fpscr"
                     : "=r"(first), "=r"(last), "=r"(status));
      say(first); say(last); say(status); end();
    }
    """
    assert words(source, tmp_path) == [0x3F80_0000, 0x4049_0FDB, 0x6000_0000]


def test_a_more_urgent_exception_preempts_and_a_less_urgent_one_waits(tmp_path: Path) -> None:
    source = """
    static volatile uint32_t log;
    static void note(uint32_t digit) { log = log << 4 | digit; }
    void pend_sv(void) { note(1); REG(0xe000ed04) = 1 << 26; __asm volatile("isb"); note(2); }
    void systick(void) { note(3); REG(0xe000e200) = 1 << 8; __asm volatile("isb"); note(4); }
    void timer(void) { note(5); }
    void start(void) {
      uart_on(); log = 0;
      REG(0xe000ed20) = 0x40e00000; *(volatile uint8_t *)0xe000e408 = 0x80; REG(0xe000e100) = 1 << 8;
      REG(0xe000ed04) = 1 << 28;
      __asm volatile("dsb\\n isb");
      say(log); say(REG(0xe000ed20)); say(REG(0xe000e408)); end();
    }
    """
    # PendSV is 0xe0, the timer 0x80, SysTick 0x40: SysTick preempts PendSV, the timer comes before its rest.
    assert words(source, tmp_path) == [0x13452, 0x40E0_0000, 0x80]


def test_masked_exceptions_wake_but_wait(tmp_path: Path) -> None:
    source = """
    static volatile uint32_t log;
    void systick(void) { log = log << 4 | 2; REG(0xe000e010) = 0; }
    void start(void) {
      uart_on(); log = 0;
      REG(0xe000e014) = 6399; REG(0xe000e018) = 0;
      __asm volatile("cpsid i");
      REG(0xe000e010) = 7;
      __asm volatile("wfi");
      log = log << 4 | 1;
      __asm volatile("cpsie i\\n isb");
      log = log << 4 | 3;
      say(log); end();
    }
    """
    assert words(source, tmp_path) == [0x123]


@pytest.mark.parametrize(
    ("enabled", "access", "handler", "status", "address"),
    [
        ("7 << 16", "(void)REG(0x30000000)", "bus_fault", 0x8200, 0x3000_0000),
        ("7 << 16", "REG(0x1ffffffc) = 1", "bus_fault", 0x8200, 0x1FFF_FFFC),
        ("0", "REG(0x30000004) = 1", "hard_fault", 0x8200, 0x3000_0004),
        ("7 << 16", '__asm volatile("udf #1")', "usage_fault", 1 << 16, None),
        ("7 << 16", '__asm volatile("bx %0" : : "r"(0x100))', "usage_fault", 1 << 17, None),
        ("7 << 16", "((void (*)(void))0x60000001)()", "bus_fault", 0x100, None),
        ("7 << 16", "((void (*)(void))0x40002001)()", "memory_fault", 1, None),
    ],
)
def test_faults_tell_their_cause(
    enabled: str, access: str, handler: str, status: int, address: int | None, tmp_path: Path
) -> None:
    source = f"""
    void {handler}(void) {{ say(REG(0xe000ed28)); say(REG(0xe000ed2c)); say(REG(0xe000ed38)); end(); }}
    void start(void) {{ uart_on(); REG(0xe000ed24) = {enabled}; {access}; say(0xbad); end(); }}
    """
    forced = 1 << 30 if handler == "hard_fault" else 0
    found = words(source, tmp_path)
    assert found[:2] == [status, forced]
    assert address is None or found[2] == address


def test_a_fault_in_the_handler_of_faults_locks_up_and_resets(tmp_path: Path) -> None:
    source = """
    void hard_fault(void) { (void)REG(0x30000000); }
    void start(void) {
      uart_on(); say(REG(0x40000400));
      if (REG(0x40000400)) end();
      (void)REG(0x30000000);
    }
    """
    machine = Machine(source, tmp_path)
    assert machine.run() == [0, ResetReason.LOCKUP]
    assert "locks up" in machine.reports[0]


def test_a_reset_keeps_flash_and_not_ram(tmp_path: Path) -> None:
    source = """
    void start(void) {
      uart_on(); say(REG(0x40000400)); say(REG(0x20008000)); say(REG(0x20000)); say(REG(0xe000e014));
      if (REG(0x40000400)) end();
      REG(0x20008000) = 1; REG(0xe000e014) = 5;
      REG(NVMC + 0x504) = 1; REG(0x20000) = 0xcafe;
      REG(0xe000ed0c) = 0x05fa0004;
      for (;;) {}
    }
    """
    machine = Machine(source, tmp_path)
    assert machine.run() == [0, POISON, 0xFFFF_FFFF, 0, ResetReason.SOFTWARE, POISON, 0xCAFE, 0]
    assert machine.resets == [ResetReason.SOFTWARE]


def test_sensors_and_pins(tmp_path: Path) -> None:
    source = """
    static volatile uint16_t sample[1];
    void start(void) {
      uart_on();
      REG(0x4000c000) = 1; while (!REG(0x4000c100)) {} say(REG(0x4000c508));
      REG(0x4000d000) = 1; while (!REG(0x4000d100)) {} say(REG(0x4000d508) < 256);
      REG(0x40007500) = 1; REG(0x40007510) = 3; REG(0x400075f0) = 2;
      REG(0x4000762c) = (uint32_t)sample; REG(0x40007630) = 1; REG(0x40007000) = 1; REG(0x40007004) = 1;
      while (!REG(0x40007104)) {} say(sample[0]); say(REG(0x40007634));
      REG(0x50000518) = 1 << 13; REG(0x50000508) = 1 << 13; REG(0x50000508) = 1 << 14;
      REG(0x5000050c) = 1 << 13;
      REG(0x50000818) = 1 << 2; REG(0x50000808) = 1 << 2;
      say(REG(0x10000100)); end();
    }
    """
    machine = Machine(source, tmp_path, {2: 0x234}.__getitem__)
    # 25 degrees in quarters; 12 bits of input 2; the part's number.
    assert machine.run() == [100, 1, 0x234, 1, 0x52840]
    assert machine.pins == [(13, True), (13, False), (34, True)]


def test_the_memory_protection_unit_stops_unprivileged_code(tmp_path: Path) -> None:
    source = """
    static void region(uint32_t number, uint32_t base, uint32_t attributes) {
      REG(0xe000ed98) = number; REG(0xe000ed9c) = base; REG(0xe000eda0) = attributes;
    }
    void memory_fault(void) { say(REG(0xe000ed28)); say(REG(0xe000ed34)); end(); }
    __attribute__((naked)) void svc(void) { __asm volatile("msr control, %0\\n isb\\n bx lr" : : "r"(1)); }
    void start(void) {
      uart_on(); REG(0xe000ed24) = 7 << 16; say(REG(0xe000ed90));
      REG(0x20020000) = 5;
      region(0, 0x00000000, 6u << 24 | 19 << 1 | 1);            /* flash: read only, 1 MB */
      region(1, 0x20000000, 3u << 24 | 1u << 28 | 17 << 1 | 1 | 0x80u << 8); /* RAM but for its end */
      REG(0xe000ed94) = 5;
      __asm volatile("dsb\\n isb\\n svc #0");
      uint32_t allowed = REG(0x20020000);
      REG(0x20037ffc) = allowed;
      REG(0x20038000) = 1;
    }
    """
    # Eight regions; DACCVIOL and MMARVALID at the first byte of the part that is left out.
    assert words(source, tmp_path) == [0x800, 0x82, 0x2003_8000]
