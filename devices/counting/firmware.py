"""Builds the counter of a board: `counter.c` as the firmware in the place of its agent."""

from __future__ import annotations

import hashlib
import importlib.metadata
from math import gcd
from pathlib import Path

from container.cache import cached
from container.errors import UsageError
from container.zig import run_zig
from devices.aot import elf, machine
from devices.aot.unit import CONTAINER_ABI
from devices.board import Architecture, Board
from devices.firmware.header import board_header

KNOWN_INSTRUCTIONS = 100
"""Of the code that shows whether the counting is exact."""
TICK_INSTRUCTIONS = 5
"""Of the interrupt that a wrap of SysTick raises, in counter.c."""
SOURCE = Path(__file__).with_name("counter.c")
_FPU = (Architecture.CORTEX_M4F, Architecture.CORTEX_M7F)
_FLAGS = (
    *("-std=gnu17", "-O2", "-g0", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-builtin"),
    *("-fno-sanitize=all", "-fno-stack-protector", "-fno-unwind-tables", "-fno-ident"),
)
_LINKER_SCRIPT = """\
ENTRY(reset_handler)
MEMORY {{
  FLASH (rx) : ORIGIN = {flash.start:#x}, LENGTH = {flash.size:#x}
  RAM (rw) : ORIGIN = {ram.start:#x}, LENGTH = {ram.size:#x}
}}
SECTIONS {{
  .text : {{ KEEP(*(.vectors)) *(.text .text.* .rodata .rodata.*) }} > FLASH
  .bss (NOLOAD) : {{ KEEP(*(.result)) *(.bss .bss.* COMMON) }} > RAM
  /DISCARD/ : {{ *(.ARM.exidx* .ARM.extab* .ARM.attributes .comment .note*) }}
}}
"""


def tick(board: Board) -> tuple[int, int]:
    """The period of the core's clock as a fraction of nanoseconds, in lowest terms."""
    common = gcd(1_000_000_000, board.cpu.clock_hz)
    return 1_000_000_000 // common, board.cpu.clock_hz // common


def build_counter(board: Board) -> bytes:
    """What lies in the agent's part of the flash; its result stands at the start of the agent's RAM.

    Raises UsageError for a board without an agent, CompileError.
    """
    if board.flash.agent is None or board.ram.agent is None:
        raise UsageError(f"{board.name} has no agent whose place a counter could take")
    script = _LINKER_SCRIPT.format(flash=board.flash.agent, ram=board.ram.agent)
    files = {
        "board.h": board_header(board),
        "container_abi.h": CONTAINER_ABI.read_text("utf-8"),
        "counter.h": _header(board),
        "counter.c": SOURCE.read_text("utf-8"),
        "counter.ld": script,
    }
    digest = hashlib.sha256("\0".join([*_command(board), *files.values()]).encode()).hexdigest()

    def build(folder: Path, output: str) -> None:
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
        run_zig(folder, *_command(board), "-o", output)

    name = f"zig-{importlib.metadata.version('ziglang')}/counter-{board.name}-{digest[:32]}.elf"
    linked = cached(name, build)
    return elf.parse(linked.read_bytes()).sections[".text"].data


def _header(board: Board) -> str:
    macros = {
        "COUNTER_READINGS": tick(board)[0],
        "COUNTER_KNOWN": KNOWN_INSTRUCTIONS,
        "COUNTER_FPU": int(board.cpu.architecture in _FPU),
    }
    return "".join(f"#define {name} {value}\n" for name, value in macros.items())


def _command(board: Board) -> list[str]:
    # Its own code uses no FPU: the registers there are the container's alone.
    cpu = machine.target(board)[1].partition("+")[0]
    target = ["-target", "thumb-freestanding-eabi", f"-mcpu={cpu}"]
    return ["cc", *target, *_FLAGS, "-I.", "counter.c", "-Wl,-T,counter.ld", "-Wl,--build-id=none"]
