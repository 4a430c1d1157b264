"""Containers written in C for the agent's interface alone, well-behaved or not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from devices.aot import elf, machine
from devices.board import find
from devices.image import HEADER_BYTES, BoardImage, ImageHeader

ABI = Path(__file__).parents[3] / "devices" / "firmware" / "core" / "container_abi.h"
STACK_BYTES = 512
SHA256 = bytes(range(32))
"""What the images give as their container's."""

PRELUDE = """
static uint32_t call(uint32_t number, uint32_t a, uint32_t b, uint32_t c) {
  register uint32_t r0 __asm("r0") = number;
  register uint32_t r1 __asm("r1") = a;
  register uint32_t r2 __asm("r2") = b;
  register uint32_t r3 __asm("r3") = c;
  __asm volatile("svc #0" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r3) : "memory");
  return r0;
}
#define READ(number, data) call(RUNE_CALL_READ, number, (uint32_t)&data, sizeof data)
#define WRITE(number, data) call(RUNE_CALL_WRITE, number, (uint32_t)&data, sizeof data)
#define WORD(address) (*(volatile uint32_t *)(address))
volatile int32_t progress;
static int32_t run(void);
static void instantiate(void);
void entry(uint32_t task) {
  progress = 7;
  if (task == RUNE_TASK_INSTANTIATE) instantiate();
  call(RUNE_CALL_FINISH, task == RUNE_TASK_RUN ? (uint32_t)run() : 0, 0, 0);
  for (;;) {
  }
}
"""
HOST_PORTS = """
const struct rune_port ports[] = {
  {.direction = RUNE_PORT_SOURCE, .kind = RUNE_SOURCE_HOST, .number = 1, .bytes = 4},
  {.direction = RUNE_PORT_OUTPUT, .kind = RUNE_OUTPUT_HOST, .number = 2, .bytes = 4},
  {.direction = RUNE_PORT_END},
};
"""
RANDOM_PORTS = HOST_PORTS.replace("RUNE_SOURCE_HOST", "RUNE_SOURCE_RAND")


@cache
def guest(board_name: str, slot: int, body: str, ports: str = HOST_PORTS, first: str = "") -> BoardImage:
    """The image of a container whose `run` is defined in `body`; `first` is done when it is instantiated."""
    board = find(board_name)
    source = ABI.read_text() + PRELUDE + ports + body + f"static void instantiate(void) {{ {first} }}"
    flash, ram = board.flash.slots[slot].start + HEADER_BYTES, board.ram.container.start
    unit = machine.compile_object(board, source, b"")
    linked = elf.parse(machine.link(board, unit, flash, ram + STACK_BYTES, 0, ("entry", "ports", "limit")))
    code = b"".join(_padded(linked, name, flash) for name in (".text", ".rodata"))
    header = ImageHeader(
        board=board.name,
        address=board.flash.slots[slot].start,
        entry=linked.symbol("entry").address,
        ram_start=ram,
        ram_bytes=-(-(STACK_BYTES + linked.size_of(".bss") + 16) // 8) * 8,
        stack_bytes=STACK_BYTES,
        progress=linked.symbol("progress").address,
        ports=linked.symbol("ports").address,
        container_sha256=SHA256,
    )
    return BoardImage(header, code)


def _padded(linked: elf.Elf, name: str, flash: int) -> bytes:
    """A section, behind what was left free before it."""
    section = linked.sections[name]
    if name == ".text":
        return section.data
    text = linked.sections[".text"]
    return b"\xff" * (section.address - text.address - text.size) + section.data


def lying(image: BoardImage, **fields: int | str) -> bytes:
    """The file of an image whose header says something else, its checksums right."""
    return BoardImage(replace(image.header, **fields), image.body).encode()  # type: ignore[arg-type]
