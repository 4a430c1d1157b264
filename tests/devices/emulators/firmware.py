"""Small bare-metal programs for emulated Cortex-M boards, compiled by zig's clang."""

from __future__ import annotations

from pathlib import Path

import serial

from container.zig import run_zig
from devices.board import Architecture, Board

_TARGETS = {
    Architecture.CORTEX_M0: ("thumb-freestanding-eabi", "cortex_m0"),
    Architecture.CORTEX_M4F: ("thumb-freestanding-eabihf", "cortex_m4+vfp4d16sp"),
}
_LINKER_SCRIPT = """
ENTRY(start)
SECTIONS {{
  . = {flash:#x};
  .text : {{ KEEP(*(.vectors)) *(.text*) *(.rodata*) }}
  . = {ram:#x};
  .bss (NOLOAD) : {{ *(.data*) *(.bss*) }}
  /DISCARD/ : {{ *(.ARM*) *(.comment) }}
}}
"""
_PRELUDE = """
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
#define REG(address) (*(volatile uint32_t *)(address))
"""
ANSWER_S = 20.0


def compile_c(board: Board, source: str, folder: Path) -> bytes:
    """The binary of a C program.  Its section `.vectors` comes first; its variables have no first values."""
    (folder / "program.c").write_text(_PRELUDE + source)
    script = _LINKER_SCRIPT.format(flash=board.flash.start, ram=board.ram.start)
    (folder / "program.ld").write_text(script)
    target, cpu = _TARGETS[board.cpu.architecture]
    flags = ["-target", target, f"-mcpu={cpu}", "-O1", "-nostdlib", "-ffreestanding", "-fno-sanitize=all"]
    run_zig(folder, "cc", *flags, "-Wl,-T,program.ld", "program.c", "-o", "program.elf")
    run_zig(folder, "objcopy", "-O", "binary", "program.elf", "program.bin")
    return (folder / "program.bin").read_bytes()


def ask(port: Path, request: bytes, expected_bytes: int, seconds: float = ANSWER_S) -> bytes:
    """Open the port as any client does, send, and return that many bytes, or what came in time."""
    with serial.Serial(str(port), 115_200, timeout=seconds) as line:
        line.write(request)
        return bytes(line.read(expected_bytes))
