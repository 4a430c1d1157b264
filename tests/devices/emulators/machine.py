"""A virtual nRF52840 without its process and port: a test gives it input and reads what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from devices import board as boards
from devices.emulators.nrf52840.chip import Chip, Surroundings
from devices.emulators.nrf52840.clock import Clock
from devices.emulators.nrf52840.nvmc import FLASH_BYTES, Flash
from devices.emulators.nrf52840.power import ResetReason
from tests.devices.emulators.firmware import compile_c

MOST_CYCLES = 200_000_000

PRELUDE = """
#define UART 0x40002000u
#define NVMC 0x4001e000u
static void uart_on(void) { REG(UART + 0x500) = 4; REG(UART + 0x000) = 1; REG(UART + 0x008) = 1; }
static void put(uint8_t byte) {
  REG(UART + 0x11c) = 0;
  REG(UART + 0x51c) = byte;
  while (!REG(UART + 0x11c)) {}
}
static uint8_t get(void) {
  while (!REG(UART + 0x108)) {}
  REG(UART + 0x108) = 0;
  return (uint8_t)REG(UART + 0x518);
}
static void say(uint32_t word) {
  for (int shift = 28; shift >= 0; shift -= 4) put((uint8_t)"0123456789abcdef"[word >> shift & 15]);
  put('\\n');
}
static void end(void) { put('!'); for (;;) __asm volatile("cpsid i\\n wfi"); }
void start(void);
#define HANDLER(name) void name(void) __attribute__((weak));
HANDLER(hard_fault) HANDLER(memory_fault) HANDLER(bus_fault) HANDLER(usage_fault)
HANDLER(svc) HANDLER(pend_sv) HANDLER(systick) HANDLER(uart) HANDLER(timer)
__attribute__((section(".vectors"), used)) static void *const vectors[32] = {
  (void *)0x20010000, (void *)start, 0, (void *)hard_fault, (void *)memory_fault, (void *)bus_fault,
  (void *)usage_fault, [11] = (void *)svc, [14] = (void *)pend_sv, [15] = (void *)systick,
  [16 + 2] = (void *)uart, [16 + 8] = (void *)timer
};
"""


class Machine:
    """The chip with a program; `said` is what came out of its UART."""

    def __init__(self, source: str, folder: Path, analog: Callable[[int], int] = lambda source: 0) -> None:
        program = compile_c(boards.find("nrf52840"), PRELUDE + source, folder)
        self.flash = Flash(program.ljust(FLASH_BYTES, b"\xff"))
        self.said = b""
        self.reports: list[str] = []
        self.pins: list[tuple[int, bool]] = []
        self.input = b""
        self.clock = Clock()
        self.surroundings = Surroundings(self, self.reports.append, self._on_pin, analog=analog)
        self.chip = Chip(self.clock, self.flash, self.surroundings, ResetReason.POWER_ON)
        self.resets: list[ResetReason] = []

    def _on_pin(self, pin: int, high: bool) -> None:
        self.pins.append((pin, high))

    def receive(self, most: int) -> bytes:
        data, self.input = self.input[:most], self.input[most:]
        return data

    def send(self, data: bytes) -> None:
        self.said += data

    def run(self, until: Callable[[], bool] | None = None) -> list[int]:
        """Runs until the program says `!`, and returns the words that it said; or until `until` holds."""
        done = until or (lambda: self.said.endswith(b"!"))
        while not done():
            assert self.clock.now < MOST_CYCLES, self.said
            sleeps = self.chip.run()
            while sleeps and not done() and not self.chip.wakes():
                assert self.clock.now < MOST_CYCLES, self.said
                self.clock.skip(max(1, min(self.chip.next_event(), MOST_CYCLES) - self.clock.now))
            if self.chip.reset_reason is not None:
                self.resets.append(self.chip.reset_reason)
                self.chip = Chip(self.clock, self.flash, self.surroundings, self.chip.reset_reason)
        return [] if until else [int(line, 16) for line in self.said.rstrip(b"!").split()]
