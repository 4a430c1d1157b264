"""C to machine code of a Cortex-M, by the clang, LLD and compiler-rt that the `ziglang` package brings."""

from __future__ import annotations

import hashlib
import importlib.metadata
import tempfile
from collections.abc import Callable
from pathlib import Path

from container.cache import cached
from container.errors import CompileError, ContainerError, UsageError
from container.manifest import Optimization
from container.zig import run_zig
from devices.board import Architecture, Board

TARGETS = {
    Architecture.CORTEX_M0: ("thumb-freestanding-eabi", "cortex_m0"),
    Architecture.CORTEX_M0PLUS: ("thumb-freestanding-eabi", "cortex_m0plus"),
    Architecture.CORTEX_M3: ("thumb-freestanding-eabi", "cortex_m3"),
    Architecture.CORTEX_M4F: ("thumb-freestanding-eabihf", "cortex_m4+vfp4d16sp"),
    Architecture.CORTEX_M7F: ("thumb-freestanding-eabihf", "cortex_m7+fp_armv8d16sp"),
}
"""What zig calls each core: target and CPU."""
_FLAGS = (
    "-std=gnu17",
    "-g0",
    "-w",
    "-fno-sanitize=all",
    # The linear memory holds one type after the other in the same bytes.
    "-fno-strict-aliasing",
    # A fused multiply-add rounds once where two operations round twice.
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-stack-protector",
    # One register more for inner loops: a tenth of the instructions of a convolution.
    "-fomit-frame-pointer",
    "-fno-unwind-tables",
    "-fno-ident",
    # Sections that the linker can drop.
    "-ffunction-sections",
    "-fdata-sections",
)
_OPTIMIZERS = {Optimization.SPEED: "-O2", Optimization.BALANCED: "-O2", Optimization.SIZE: "-Os"}
_LINKER_SCRIPT = """\
ENTRY({entry})
MEMORY {{
  FLASH (rx) : ORIGIN = {flash:#x}, LENGTH = {flash_bytes:#x}
  RAM (rw) : ORIGIN = {ram:#x}, LENGTH = {ram_bytes:#x}
}}
SECTIONS {{
  .text : {{ *(.text .text.*) }} > FLASH
  .rodata : ALIGN(16) {{ KEEP(*(.rodata.{ports})) *(.rodata .rodata.*) }} > FLASH
  .data : {{ *(.data .data.*) }} > RAM
  .bss (NOLOAD) : ALIGN(16) {{ KEEP(*(.bss.rune_ram)) *(.bss .bss.* COMMON) }} > RAM
  {limit} = {limit_address:#x};
  /DISCARD/ : {{ *(.ARM.exidx* .ARM.extab* .comment .note*) }}
}}
"""
_LARGEST = 1 << 28


def target(board: Board) -> tuple[str, str]:
    """zig's target and CPU of a board.  Raises UsageError for one that zig does not compile for."""
    found = TARGETS.get(board.cpu.architecture)
    if found is None:
        raise UsageError(f"{board.name} has an {board.cpu.architecture} core: avr-gcc builds for it")
    return found


def compiler_flags(optimization: Optimization = Optimization.BALANCED) -> tuple[str, ...]:
    """Of clang, for a container that was built so."""
    return _OPTIMIZERS[optimization], *_FLAGS


def compile_object(
    board: Board, source: str, constants: bytes, optimization: Optimization = Optimization.BALANCED
) -> bytes:
    """The object of one unit, from the cache where the same was compiled before.

    Raises ContainerError: the C was made from the container, so that one that does not compile was crafted.
    """
    triple, cpu = target(board)
    flags = [f"-mcpu={cpu}", *compiler_flags(optimization), "--embed-dir=."]
    command = ["cc", "-target", triple, *flags, "-c", "unit.c", "-o"]

    def build(folder: Path, output: str) -> None:
        (folder / "unit.c").write_text(source, encoding="utf-8")
        (folder / "constants.bin").write_bytes(constants)
        try:
            run_zig(folder, *command, output)
        except CompileError as error:
            message = f"the container's code cannot be compiled for {board.name}\n{error.message}"
            raise ContainerError(message) from None

    parts = (" ".join(command).encode(), source.encode(), constants)
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    return _cached(f"unit-{digest}.o", build).read_bytes()


def link(
    board: Board, unit: bytes, flash: int, ram: int, stack_limit: int, names: tuple[str, str, str]
) -> bytes:
    """The ELF file with its code at `flash` and its memory at `ram`; whether it fits is not looked at.

    `names` are the entry, the table of ports and the symbol that gets `stack_limit`.
    """
    entry, ports, limit = names
    script = _LINKER_SCRIPT.format(
        entry=entry,
        ports=ports,
        limit=limit,
        flash=flash,
        ram=ram,
        limit_address=stack_limit,
        flash_bytes=min(_LARGEST, (1 << 32) - flash),
        ram_bytes=min(_LARGEST, (1 << 32) - ram),
    )
    with tempfile.TemporaryDirectory(prefix="rune-") as folder:
        work = Path(folder)
        (work / "unit.o").write_bytes(unit)
        (work / "image.ld").write_text(script)
        library = str(compiler_rt(board))
        run_zig(
            work,
            "ld.lld",
            "-T",
            "image.ld",
            "--gc-sections",
            f"--undefined={ports}",
            "unit.o",
            library,
            "-o",
            "image.elf",
        )
        return (work / "image.elf").read_bytes()


def compiler_rt(board: Board) -> Path:
    """The archive with what the core has no instructions for: divisions, floats."""
    triple, cpu = target(board)

    def build(folder: Path, output: str) -> None:
        (folder / "empty.zig").write_text("")
        options = ["-target", triple, f"-mcpu={cpu}", "-O", "ReleaseSmall", "-fcompiler-rt", "-fstrip"]
        run_zig(folder, "build-lib", *options, "empty.zig", f"-femit-bin={output}")

    return _cached(f"compiler_rt-{triple}-{cpu}.a", build)


def _cached(name: str, build: Callable[[Path, str], None]) -> Path:
    return cached(f"zig-{importlib.metadata.version('ziglang')}/{name}", build)
