"""Instructions of one inference on a Cortex-M4F, counted by QEMU: what the sandbox costs, what peers need.

For each model: the builder's C unit compiled for the core by the same clang, without WebAssembly and without
a sandbox, beside the board image.  Other models can be named: `python3 tasks.py bench boards MODEL.tflite`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.models import MODELS, model_path, pipeline_of, tflm_instructions
from builder.assemble import assemble
from builder.build import build_container, graph_passes
from builder.codegen import generate
from builder.emit import emit_unit
from builder.lower import lower
from builder.program import read_program
from builder.shrinking import shrink
from builder.target import Target
from builder.toolchain import KERNELS
from container.abi import Profile
from container.dsp import HEADER
from container.golden import GoldenVector, parse
from container.sections import Container
from container.zig import run_zig
from devices import board as boards
from devices.aot import machine
from devices.aot.build import Build, build_image
from devices.aot.unit import CONTAINER_ABI, RUNTIME
from rune.text import table
from runefile.pipeline import TypedPipeline

TICK = 40
"""Instructions between two counts of SysTick."""
INPUT, OUTPUT = 0x21000000, 0x21400000
"""In the board's 16 MB of PSRAM (Arm AN386, "Memory map")."""
_LINKER_SCRIPT = """\
SECTIONS {
  . = 0;
  .text : { KEEP(*(.vectors)) *(.text .text.*) *(.rodata .rodata.*) }
  . = 0x21800000;
  .data : { *(.data .data.*) }
  .bss : { *(.bss .bss.* COMMON) }
  /DISCARD/ : { *(.ARM.exidx* .comment .note*) }
}
"""
_LEVELS = """\
#include <stdint.h>
#define RUNE_DSP_HELPER(...)
#define RUNE_DSP_QUERY(...)
#include "dsp_helpers.h"
"""
"""The names of levels alone: the helpers themselves are instructions here."""
HEADINGS = ("model", "native", "board image", "ratio", "TFLM + CMSIS-NN", "ratio", "code", "constants", "RAM")
_BOARD = boards.find("mps2-an386")


@dataclass(frozen=True)
class Measured:
    """Instructions of one inference, and bytes in flash."""

    native: int
    sandboxed: int
    build: Build


def measure(pipeline: TypedPipeline) -> Measured:
    """Count both; each answer is compared with the golden vector."""
    container = Container.parse(build_container(pipeline, profiles=[Profile.MCU]))
    assert container.golden is not None
    vector = parse(container.golden, container.manifest)[0]
    build = build_image(container, _BOARD)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copyfile(Path(__file__).with_name("board_runner.c"), work / "runner.c")
        (work / "runner.ld").write_text(_LINKER_SCRIPT)
        (work / "input.bin").write_bytes(_in_order(container, vector))
        expected = b"".join(value for _, value in sorted(vector.outputs.items()))
        return Measured(
            native=_run(work, _native(work, pipeline), [], expected),
            sandboxed=_run(work, _sandboxed(work, build), [f"image.bin,addr={_slot():#x}"], expected),
            build=build,
        )


def _slot() -> int:
    return _BOARD.flash.slots[0].start


def _in_order(container: Container, vector: GoldenVector) -> bytes:
    return b"".join(vector.inputs[stage.name] for _, stage in sorted(container.manifest.sources.items()))


def _native(work: Path, pipeline: TypedPipeline) -> Path:
    """The unit that the builder makes, for this core; its DSP helpers are instructions, as in the image."""
    module = shrink(assemble(pipeline), graph_passes(), lambda _: None)
    program = read_program(lower(module, Target(Profile.MCU)))
    unit = emit_unit(program, generate(program.functions), pipeline.stages, Profile.MCU)
    (work / "unit.c").write_text(unit.source)
    instructions = (RUNTIME / "instructions.h").read_text().replace("RUNE_INLINE", "static inline")
    (work / "dsp_instructions.h").write_text(_LEVELS + instructions)
    helpers = ["-DRUNE_DSP_H", "-include", "dsp_instructions.h", f"-I{HEADER.parent}", f"-I{KERNELS}"]
    _compile(work, "unit.c", helpers)
    _compile(work, "runner.c", [])
    return _link(work, ["unit.o", "runner.o"])


def _sandboxed(work: Path, build: Build) -> Path:
    header = build.image.header
    (work / "image.bin").write_bytes(build.image.encode())
    places = {
        "ENTRY": header.entry,
        "STACK": header.ram_start + header.stack_bytes,
        "RAM_END": header.ram_start + header.ram_bytes,
    }
    _compile(work, "runner.c", [f"-D{name}={value:#x}u" for name, value in places.items()])
    return _link(work, ["runner.o"])


def _compile(work: Path, source: str, flags: list[str]) -> None:
    triple, cpu = machine.target(_BOARD)
    places = [f"-DINPUT={INPUT:#x}u", f"-DOUTPUT={OUTPUT:#x}u", f"-I{CONTAINER_ABI.parent}"]
    output = source.replace(".c", ".o")
    run_zig(
        work,
        "cc",
        "-target",
        triple,
        f"-mcpu={cpu}",
        *machine.compiler_flags(),
        *places,
        *flags,
        "-c",
        source,
        "-o",
        output,
    )


def _link(work: Path, objects: list[str]) -> Path:
    library = str(machine.compiler_rt(_BOARD))
    run_zig(
        work,
        "ld.lld",
        "-T",
        "runner.ld",
        "--gc-sections",
        "-e",
        "vectors",
        *objects,
        library,
        "-o",
        "runner.elf",
    )
    return work / "runner.elf"


def _run(work: Path, program: Path, loaded: list[str], expected: bytes) -> int:
    """Instructions; raises SystemExit when the answer is wrong."""
    devices = [f"loader,file={file}" for file in [f"input.bin,addr={INPUT:#x},force-raw=on", *loaded]]
    command = ["qemu-system-arm", "-M", "mps2-an386", "-icount", "shift=0", "-nographic", "-semihosting"]
    command += ["-monitor", "none", "-kernel", str(program)]
    for device in devices:
        command += ["-device", device]
    done = subprocess.run(
        command, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=True
    )
    ticks, code, data = done.stdout.decode().split()
    if int(code, 16) != 0 or bytes.fromhex(data) != expected:
        raise SystemExit(f"{program.name}: wrong answer {code} {data[:64]}")
    return int(ticks, 16) * TICK


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    if shutil.which("qemu-system-arm") is None:
        raise SystemExit("qemu-system-arm is missing: apt install qemu-system-arm")
    named = parser.parse_args().models or [model_path(name) for name in MODELS]
    peers = tflm_instructions()
    rows = [list(HEADINGS)]
    for path in named:
        if not path.exists():
            print(f"{path} is missing", file=sys.stderr)
            continue
        found = measure(pipeline_of(path))
        peer = peers.get("/".join(path.parts[-2:]))
        rows.append(
            [
                path.stem,
                f"{found.native:,}",
                f"{found.sandboxed:,}",
                f"{found.sandboxed / found.native:.3f}",
                f"{peer:,.0f}" if peer else "",
                f"{found.sandboxed / peer:.2f}" if peer else "",
                f"{found.build.code_bytes:,}",
                f"{found.build.read_only_bytes:,}",
                f"{found.build.ram_bytes:,}",
            ]
        )
    print(table(rows, right=(1, 2, 3, 4, 5, 6, 7, 8)))


if __name__ == "__main__":
    main()
