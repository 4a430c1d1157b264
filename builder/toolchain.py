"""C to WebAssembly, by the clang and LLD that the `ziglang` package brings."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.blocks.base import CSource
from builder.emit import PROGRESS_SYMBOL
from builder.mathlib import TARGET, math_objects
from builder.target import Target
from container.abi import Profile
from container.dsp import HEADER, helpers
from container.errors import CompileError
from container.manifest import Optimization
from container.zig import run_zig

KERNELS = Path(__file__).parent / "kernels"
PAGE_BYTES = {Profile.SIMD: 65536, Profile.MCU: 1}
STACK_ALIGNMENT = 16
COMMON_FLAGS = (
    "-std=gnu17",
    "-fno-sanitize=all",
    # The arena holds one type after the other in the same bytes.
    "-fno-strict-aliasing",
    # A fused multiply-add rounds once where two operations round twice: results would depend on the machine.
    "-ffp-contract=off",
    "-mbulk-memory",
    "-fno-ident",
)
WARNINGS_OFF = ("-w",)
BLOCK_FLAGS = (
    "-fno-color-diagnostics",
    # What a block does not declare `static` could clash with another block's.
    "-Werror=missing-prototypes",
    "-Werror=missing-variable-declarations",
)
"""For the C of proc blocks."""
PROFILE_FLAGS = {
    Profile.SIMD: ("-msimd128",),
    Profile.MCU: ("-fno-vectorize", "-fno-slp-vectorize"),
}
FAST_FLAGS = {Profile.SIMD: "-O3", Profile.MCU: "-O2"}
SMALL_FLAG = "-Os"
"""Kernels see it as `__OPTIMIZE_SIZE__`."""
_PROLOGUE = re.compile(rb"\x23\x80\x80\x80\x80\x00\x41([\x80-\xff]{0,4}[\x00-\x7f])\x6b", re.DOTALL)
"""`global.get 0; i32.const N; i32.sub`: how LLVM takes N bytes of stack at a function's start."""


@dataclass(frozen=True)
class Module:
    """A linked WebAssembly module, and where its memory goes; all in bytes."""

    wasm: bytes
    linear_memory: int
    read_only: int
    stack: int
    progress: int
    """Address of the progress cell."""


def compile_unit(source: str, target: Target, blocks: Sequence[CSource] = ()) -> Module:
    """Compiles and links one unit, and the C of proc blocks.

    Raises CompileError with the compiler's words when that fails.
    """
    with tempfile.TemporaryDirectory(prefix="rune-") as folder:
        work = Path(folder)
        (work / "unit.c").write_text(source, encoding="utf-8")
        _compile(work, "unit", target, WARNINGS_OFF)
        for number, block in enumerate(blocks):
            _compile_block(work, f"block_{number}", block, target)
        objects = ["unit.o", *(f"block_{number}.o" for number in range(len(blocks)))]
        used = _used_helpers(work, objects)
        objects += _helper_objects(work, target) if used else []
        objects += math_objects("\n".join([source, *(block.text for block in blocks)]))
        # Linked once with room for everything, to see how much stack its functions take, and then for good.
        exports = [f"--export={name}" for name in used]
        stack = _stack_bytes(_link(work, objects, target.profile, 1 << 20, exports)[0])
        wasm, memory_map = _link(work, objects, target.profile, stack, exports)
        return Module(
            wasm=wasm,
            linear_memory=_memory_pages(wasm) * PAGE_BYTES[target.profile],
            read_only=_section_size(memory_map, ".rodata"),
            stack=stack,
            progress=_symbol_address(memory_map, PROGRESS_SYMBOL),
        )


def sources_digest() -> str:
    """SHA-256 of all C that units include, and of the flags above that they are compiled with."""
    digest = hashlib.sha256()
    for file in sorted([*KERNELS.glob("*.[ch]"), HEADER, Path(__file__)]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _used_helpers(work: Path, objects: Sequence[str]) -> list[str]:
    """The DSP helpers that objects import: what is left of the calls when the compiler is done."""
    data = b"".join((work / name).read_bytes() for name in objects)
    return [name for name in helpers() if b"\x03env" + bytes([len(name)]) + name.encode() in data]


def _helper_objects(work: Path, target: Target) -> list[str]:
    """Compiled apart, so that calls stay calls; the linker drops the helpers that are not exported."""
    shutil.copyfile(KERNELS / "dsp.c", work / "dsp.c")
    _compile(work, "dsp", target, [*WARNINGS_OFF, "-ffunction-sections"])
    return ["dsp.o"]


def _compile(work: Path, name: str, target: Target, flags: Sequence[str]) -> None:
    optimizer = SMALL_FLAG if target.optimization is Optimization.SIZE else FAST_FLAGS[target.profile]
    flags = [*COMMON_FLAGS, optimizer, *PROFILE_FLAGS[target.profile], *flags]
    includes = ("-I", str(KERNELS), "-I", str(HEADER.parent))
    run_zig(work, "cc", "-target", TARGET, *flags, *includes, "-c", f"{name}.c", "-o", f"{name}.o")


def _compile_block(work: Path, name: str, block: CSource, target: Target) -> None:
    (work / f"{name}.c").write_text(block.text, encoding="utf-8")
    try:
        _compile(work, name, target, BLOCK_FLAGS)
    except CompileError as error:
        raise CompileError(
            f"{block.file} cannot be compiled for the profile {target.profile}\n{error.message}"
        ) from error


def _link(
    work: Path, objects: Sequence[str], profile: Profile, stack: int, exports: Sequence[str]
) -> tuple[bytes, str]:
    layout = ["--no-stack-first", "--global-base=16"] if profile is Profile.MCU else []
    run_zig(
        work,
        "wasm-ld",
        *objects,
        "--no-entry",
        f"--page-size={PAGE_BYTES[profile]}",
        "-z",
        f"stack-size={stack}",
        "--gc-sections",
        "--no-growable-memory",
        "--strip-all",
        *exports,
        *layout,
        "-Map=map.txt",
        "-o",
        "unit.wasm",
    )
    return (work / "unit.wasm").read_bytes(), (work / "map.txt").read_text(encoding="utf-8")


def _stack_bytes(wasm: bytes) -> int:
    """An upper bound of the stack in use: all frames of the module at once.  Kernels do not recurse."""
    total = sum(_signed_leb(found[1]) for found in _PROLOGUE.finditer(wasm))
    return -(-total // STACK_ALIGNMENT) * STACK_ALIGNMENT + STACK_ALIGNMENT


def _signed_leb(data: bytes) -> int:
    value = 0
    for position, byte in enumerate(data):
        value |= (byte & 0x7F) << (7 * position)
    return value


def _memory_pages(wasm: bytes) -> int:
    """Initial size in the memory section of a module that LLD wrote."""
    position = 8
    while position < len(wasm):
        section, position = wasm[position], position + 1
        size, position = _unsigned_leb(wasm, position)
        if section == 5:
            _, after_count = _unsigned_leb(wasm, position)
            return _unsigned_leb(wasm, after_count + 1)[0]
        position += size
    raise ValueError("the module has no memory")


def _unsigned_leb(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _section_size(memory_map: str, section: str) -> int:
    """Bytes of an output section, by LLD's map: address, offset, size, then the name."""
    found = re.search(
        rf"^ *[0-9a-f]+ +[0-9a-f]+ +([0-9a-f]+) {re.escape(section)}$", memory_map, re.MULTILINE
    )
    return int(found[1], 16) if found else 0


def _symbol_address(memory_map: str, symbol: str) -> int:
    found = re.search(
        rf"^ *([0-9a-f]+) +[0-9a-f-]+ +[0-9a-f]+ +{re.escape(symbol)}$", memory_map, re.MULTILINE
    )
    if found is None:
        raise ValueError(f"the linker's map does not name {symbol}")
    return int(found[1], 16)
