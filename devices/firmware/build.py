"""Builds the agent of a board: C to a flash image, by the clang and LLD of the `ziglang` package."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import cbor2

from container.abi import ABI_VERSION
from container.cache import cached
from container.errors import BudgetError, UsageError
from container.zig import run_zig
from devices.aot import elf, machine
from devices.board import Architecture, Board, Region
from devices.firmware.header import board_header
from devices.firmware.protection import Protection, Window, protection

VERSION = "1.0"
"""Of the agent, as it tells it."""
STACK_BYTES = 1280
"""Of the agent and its interrupts, which share a stack; tests measure how much of it is used."""
SOURCES = Path(__file__).parent
_TARGET = "thumb-freestanding-eabi"
_CPUS = {
    Architecture.CORTEX_M0: "cortex_m0",
    Architecture.CORTEX_M0PLUS: "cortex_m0plus",
    Architecture.CORTEX_M3: "cortex_m3",
    Architecture.CORTEX_M4F: "cortex_m4",
    Architecture.CORTEX_M7F: "cortex_m7",
}
"""zig's names for the cores without their FPU, which the agent leaves to the container."""
_ARMV6M = (Architecture.CORTEX_M0, Architecture.CORTEX_M0PLUS)
_FPU = (Architecture.CORTEX_M4F, Architecture.CORTEX_M7F)
_FLAGS = (
    "-std=c17",
    # To zig `-Oz` is what `-Os` is; clang is told apart.
    "-Oz",
    "-Xclang",
    "-Oz",
    "-flto",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffreestanding",
    "-fno-builtin",
    "-fno-sanitize=all",
    "-fno-stack-protector",
    "-fno-unwind-tables",
    "-fno-ident",
    # Otherwise zig leaves out the symbols too.
    "-g1",
    "-fshort-enums",
    "-ffunction-sections",
    "-fdata-sections",
    "-fomit-frame-pointer",
)
_LINKER_FLAGS = ("--gc-sections", "--build-id=none", "--icf=all", "-O2")
"""Functions that are the same, and ends of strings, are kept once."""
_OPTIMIZER_FLAGS = (
    "-arm-promote-constant=true",
    # Only what gets smaller by it is inlined, and registers are kept for what saves instructions, not time.
    "-inline-threshold=0",
    "-disable-lsr",
    "-disable-machine-licm",
    "-enable-shrink-wrap=0",
)
_OPTIMIZER_FLAGS_ARMV7M = ("-global-merge-max-offset=4095",)
"""How far variables may lie from the one whose address is loaded: as far as an instruction reaches."""
_LIBRARY = "compiler_rt.a"
_WITHOUT_FPU = {
    Architecture.CORTEX_M4F: Architecture.CORTEX_M3,
    Architecture.CORTEX_M7F: Architecture.CORTEX_M3,
}
# Whether it fits is not the linker's to say, whose words nobody would understand.
_LINKER_SCRIPT = """\
ENTRY(reset_handler)
MEMORY {{
  FLASH (rx) : ORIGIN = {flash.start:#x}, LENGTH = 1M
  RAM (rw) : ORIGIN = {ram.start:#x}, LENGTH = 1M
}}
SECTIONS {{
  .text : {{
    KEEP(*(.vectors))
    KEEP(*(.vectors.chip))
    *(.text .text.* .rodata .rodata.*)
    . = ALIGN(4);
  }} > FLASH
  .stack (NOLOAD) : {{
    stack_bottom = .;
    . += {stack_bytes};
    stack_top = .;
  }} > RAM
  .data : {{ data_start = .; *(.data .data.*) . = ALIGN(4); data_end = .; }} > RAM AT> FLASH
  data_load = LOADADDR(.data);
  .bss (NOLOAD) : {{ bss_start = .; *(.bss .bss.* COMMON) . = ALIGN(4); bss_end = .; }} > RAM
  .noinit (NOLOAD) : {{ *(.noinit) noinit_end = .; }} > RAM
  /DISCARD/ : {{ *(.ARM.exidx* .ARM.extab* .ARM.attributes .comment .note*) }}
}}
"""


@dataclass(frozen=True)
class Agent:
    """The firmware of a board."""

    image: bytes
    """From the start of the flash's `agent` region on."""
    text_bytes: int
    """Code and constants, in flash alone."""
    data_bytes: int
    """Variables with a first value: in flash and in RAM."""
    bss_bytes: int
    stack_bytes: int
    """Reserved, at the very start of the agent's RAM: an overflow does not reach its variables."""
    symbols: dict[str, int]
    """Addresses by name."""
    linked: bytes
    """The ELF file, for a debugger."""

    @property
    def flash_bytes(self) -> int:
        return self.text_bytes + self.data_bytes

    @property
    def ram_bytes(self) -> int:
        return self.data_bytes + self.bss_bytes + self.stack_bytes


def build_agent(board: Board) -> Agent:
    """The agent of a board; the same bytes whenever the sources, the board and the compiler are the same.

    Raises UsageError for a board without an agent, CompileError when the compiler fails, BudgetError when the
    agent does not fit its part of the flash or RAM.
    """
    flash, ram = board.flash.agent, board.ram.agent
    if flash is None or ram is None:
        raise UsageError(f"{board.name} has no agent: a container is its whole image")
    files = _files(board, flash, ram)
    agent = _agent(_cached(board, files), flash)
    _check(board, agent, flash, ram)
    return agent


def _files(board: Board, flash: Region, ram: Region) -> dict[str, bytes]:
    """All that is compiled, by file name."""
    sources = [*(SOURCES / "core").glob("*.[chS]"), SOURCES / "ports" / f"{board.chip.family}.c"]
    files = {path.name: path.read_bytes() for path in sorted(sources)}
    script = _LINKER_SCRIPT.format(flash=flash, ram=ram, stack_bytes=STACK_BYTES)
    made = {"board.h": board_header(board), "agent.h": _agent_header(board, ram), "agent.ld": script}
    return files | {name: text.encode() for name, text in made.items()}


def _agent_header(board: Board, ram: Region) -> str:
    """What the agent's core must know beside the board: `agent.h`."""
    macros = {
        "AGENT_VERSION": f'"{VERSION}"',
        "AGENT_ARMV7M": str(int(board.cpu.architecture not in _ARMV6M)),
        "AGENT_FPU": str(int(board.cpu.architecture in _FPU)),
        "FRAMING_BUFFER_BYTES": f"{_frame_buffer_bytes(ram)}u",
        "AGENT_FACTS": f"{{{', '.join(map(str, _constant_facts(board, ram)))}}}",
    }
    if board.cpu.mpu:
        macros |= _mpu_macros(protection(board))
    lines = "".join(f"#define {name} {value}\n" for name, value in macros.items())
    return f"#ifndef AGENT_H\n#define AGENT_H\n\n{lines}\n#endif\n"


def _frame_buffer_bytes(ram: Region) -> int:
    """Long frames cost fewer pauses between them; a quarter of the RAM leaves room for all the rest."""
    return min(2048, ram.size // 4)


def _constant_facts(board: Board, ram: Region) -> bytes:
    """What the agent tells of itself and never changes: pairs of a CBOR map (docs/device-protocol.md)."""
    facts = {
        "board": board.name,
        "abi": ABI_VERSION,
        "agent": VERSION,
        "mpu": board.cpu.mpu,
        "ram": [board.ram.container.start, board.ram.container.size],
        "slots": [[slot.start, slot.size] for slot in board.flash.slots],
        "buf": _frame_buffer_bytes(ram),
    }
    return b"".join(cbor2.dumps(key) + cbor2.dumps(value) for key, value in facts.items())


def _mpu_macros(windows: Protection) -> dict[str, str]:
    def initializer(window: Window) -> str:
        return f"{{{window.base:#x}u, {window.size_bits:#x}u}}"

    return {
        "AGENT_MPU_SLOT0": initializer(windows.slots[0]),
        "AGENT_MPU_SLOT1": initializer(windows.slots[1]),
        "AGENT_MPU_CONTAINER_RAM": initializer(windows.container_ram),
        "AGENT_MPU_AGENT_RAM": initializer(windows.agent_ram),
    }


def _cached(board: Board, files: dict[str, bytes]) -> bytes:
    """The linked file, from the cache where the very same was built before."""
    commands = _commands(board, sorted(name for name in files if name.endswith((".c", ".S"))))
    described = [importlib.metadata.version("ziglang"), *commands, *sorted(files)]
    digest = hashlib.sha256(json.dumps(described).encode())
    for name in sorted(files):
        digest.update(hashlib.sha256(files[name]).digest())

    def build(folder: Path, output: str) -> None:
        (folder / output).write_bytes(_compile(board, files, commands))

    return cached(f"agents/{board.name}-{digest.hexdigest()}.elf", build).read_bytes()


def _compile(board: Board, files: dict[str, bytes], commands: list[list[str]]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="rune-agent-") as work:
        folder = Path(work)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (folder / _LIBRARY).write_bytes(_library(board).read_bytes())
        for command in commands:
            run_zig(folder, *command)
        return (folder / "agent.elf").read_bytes()


def _library(board: Board) -> Path:
    """What the core has no instructions for, compiled for a core without an FPU."""
    architecture = _WITHOUT_FPU.get(board.cpu.architecture, board.cpu.architecture)
    return machine.compiler_rt(replace(board, cpu=replace(board.cpu, architecture=architecture)))


def _commands(board: Board, sources: list[str]) -> list[list[str]]:
    """One for each source, whose objects are the intermediate code that the linker optimizes as a whole."""
    cpu, architecture = _CPUS[board.cpu.architecture], board.cpu.architecture
    compilers = [
        ["cc", "-target", _TARGET, f"-mcpu={cpu}", *_FLAGS, "-I.", "-c", name, "-o", f"{name}.o"]
        for name in sources
    ]
    objects = [f"{name}.o" for name in sources]
    flags = _OPTIMIZER_FLAGS if architecture in _ARMV6M else _OPTIMIZER_FLAGS + _OPTIMIZER_FLAGS_ARMV7M
    optimizer = [part for flag in flags for part in ("-mllvm", flag)]
    linker = ["ld.lld", "-T", "agent.ld", *_LINKER_FLAGS, *optimizer]
    return [*compilers, [*linker, *objects, _LIBRARY, "-o", "agent.elf"]]


def _agent(linked: bytes, flash: Region) -> Agent:
    file = elf.parse(linked)
    symbols = {symbol.name: symbol.address for symbol in file.symbols if symbol.name}
    text, data = file.sections[".text"].data, file.sections[".data"].data
    image = text.ljust(symbols["data_load"] - flash.start, b"\xff") + data
    bss = symbols["noinit_end"] - symbols["data_end"]
    return Agent(image, len(image) - len(data), len(data), bss, STACK_BYTES, symbols, linked)


def _check(board: Board, agent: Agent, flash: Region, ram: Region) -> None:
    for name, used, there in (("flash", agent.flash_bytes, flash.size), ("RAM", agent.ram_bytes, ram.size)):
        if used > there:
            raise BudgetError(f"the agent needs {used:,} bytes of {name}, {board.name} has {there:,} for it")
