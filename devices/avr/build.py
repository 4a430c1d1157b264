"""From a container to the Intel HEX file that an AVR board's bootloader takes, by avr-gcc and avr-libc.

Both memories are counted by named part, and the stack is bounded before anything is flashed: by the frames
that the compiler reports and the calls that the translation knows.
"""

from __future__ import annotations

import io
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from container.errors import ContainerError
from container.programs import run_program
from container.sections import Container
from devices.aot.translate import Translation, translate
from devices.avr.unit import CONSTANTS, CONSTANTS_UNIT, check_floats, container_unit, image_header
from devices.board import Architecture, Board
from devices.budget import Memory, Need, Part, check_fits, ram_parts

FIRMWARE = Path(__file__).parent.parent / "firmware" / "avr"
INSTALL = "install the Debian packages: `apt install gcc-avr avr-libc`"
RUNTIME_STACK_BYTES = 208
"""What the runtime takes of the stack below and above the container's functions, the interrupts and the
library's arithmetic included; a test holds it against what was used."""
FLAGS = (
    "-std=gnu11",
    "-fno-strict-aliasing",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-common",
    "-mcall-prologues",
)
_CONTAINER_FLAGS = ("-Os", "-w", "-fstack-usage")
_RUNTIME_FLAGS = ("-Os", "-Wall", "-Wextra", "-Werror")
AVR_GCC = "avr-gcc"
_COMPILE_S = 300
_MOST_WORDS = 2000


@dataclass(frozen=True)
class AvrBuild:
    """A container as the whole image of a board."""

    hex: str
    """Intel HEX, for avrdude."""
    data: bytes
    """The same bytes, from the flash's first on."""
    need: Need
    """Flash and RAM by named part."""
    stack_bytes: int
    """The stack at most, the runtime's included; of a recursive container what it needs at least."""
    container_sha256: str


def build_avr_image(container: Container, board: Board) -> AvrBuild:
    """Compile a container for a board.

    Raises BudgetError when it does not fit, ContainerError when it cannot run on boards, CompileError when it
    needs what avr-gcc does not have, RuneError without avr-gcc.
    """
    if board.cpu.architecture is not Architecture.AVR:
        raise ContainerError(f"{board.name} has no AVR: its images are made by another compiler")
    check_fits(container, board)
    translation = translate(container)
    check_floats(translation)
    with tempfile.TemporaryDirectory(prefix="rune-avr-") as folder:
        return _build(container, translation, board, Path(folder))


def _build(container: Container, translation: Translation, board: Board, folder: Path) -> AvrBuild:
    (folder / "image.h").write_text(image_header(translation, board))
    (folder / "container.c").write_text(container_unit(translation))
    (folder / CONSTANTS).write_bytes(translation.constants)
    (folder / "constants.S").write_text(CONSTANTS_UNIT)
    _compile(board, folder)
    frames = _frames(folder)
    stack = RUNTIME_STACK_BYTES + _container_stack(translation, frames)
    sizes = _object_sizes(folder / "container.o", folder / "constants.o")
    check_fits(container, board, replace(_need(translation, board, sizes, sizes, stack), at_least=True))
    limit = RUNTIME_STACK_BYTES + max(frames.values(), default=0)
    whole = _link(board, folder, limit)
    need = _need(translation, board, sizes, whole, stack)
    check_fits(container, board, need)
    text = (folder / "image.hex").read_text()
    return AvrBuild(text, _contents(text), need, stack, translation.digest)


def _compile(board: Board, folder: Path) -> None:
    sources = sorted(FIRMWARE.glob("*.c"))
    for source in sources:
        _run(folder, AVR_GCC, *_target(board), *FLAGS, *_RUNTIME_FLAGS, "-I.", "-c", str(source))
    _run(folder, AVR_GCC, *_target(board), "-c", "constants.S")
    try:
        flags = (*FLAGS, *_CONTAINER_FLAGS, "-I.", f"-I{FIRMWARE}")
        _run(folder, AVR_GCC, *_target(board), *flags, "-c", "container.c")
    except ContainerError as error:
        raise ContainerError(
            f"the container's code cannot be compiled for {board.name}: {error.message}"
        ) from None


def _target(board: Board) -> tuple[str, str]:
    return f"-mmcu={board.cpu.model}", f"-DF_CPU={board.cpu.clock_hz}UL"


def _link(board: Board, folder: Path, stack_reserve: int) -> _Sizes:
    """`image.hex`, with what it takes.

    The constants come last: all other tables must lie where the short instruction for program memory reaches.
    """
    objects = [f"{source.stem}.o" for source in sorted(FIRMWARE.glob("*.c"))]
    # What does not fit is refused by its size, not by the linker: it gets more room than there is.
    symbols = {
        "stack_limit": f"__heap_start+{stack_reserve}",
        "__TEXT_REGION_LENGTH__": "0x800000",
        "__DATA_REGION_LENGTH__": "0xf000",
    }
    defined = [f"-Wl,--defsym={name}={value}" for name, value in symbols.items()]
    options = ("-Wl,--gc-sections", "-Wl,--relax", *defined)
    _run(
        folder,
        AVR_GCC,
        *_target(board),
        *options,
        *objects,
        "container.o",
        "constants.o",
        "-lm",
        "-o",
        "image.elf",
    )
    _run(folder, "avr-objcopy", "-R", ".eeprom", "-O", "ihex", "image.elf", "image.hex")
    return _object_sizes(folder / "image.elf")


@dataclass(frozen=True)
class _Sizes:
    flash: int
    ram: int


def _object_sizes(*paths: Path) -> _Sizes:
    """Of objects or an ELF file: what is in flash, initial values included, and what is in RAM."""
    listing = _run(paths[0].parent, "avr-size", "-A", *(path.name for path in paths))
    sizes = [(name, int(size)) for name, size in re.findall(r"^\.(\S+)\s+(\d+)", listing, re.MULTILINE)]

    def total(*names: str) -> int:
        return sum(size for name, size in sizes if name.startswith(names))

    variables = total("data", "rodata")
    return _Sizes(total("text", "progmem") + variables, variables + total("bss", "noinit"))


def _need(translation: Translation, board: Board, container: _Sizes, whole: _Sizes, stack: int) -> Need:
    """What it takes by part.  Before it is linked, `whole` is the container alone."""
    constants = len(translation.constants)
    flash = (
        Part("runtime", whole.flash - container.flash),
        Part("code of the container", container.flash - constants),
        Part("weights and tables", constants),
    )
    memory = ram_parts(translation.plan)
    variables = container.ram - sum(part.bytes for part in memory)
    ram = (
        Part("runtime", whole.ram - container.ram + max(0, variables)),
        *memory,
        Part("stack", stack),
    )
    return Need(Memory(flash, board.flash.slots[0].size), Memory(ram, board.ram.container.size))


def _frames(folder: Path) -> dict[str, int]:
    """The frame of each function of the container that was not inlined, as the compiler reports it."""
    rows = (folder / "container.su").read_text().splitlines()
    found: dict[str, int] = {}
    for row in rows:
        place, size, _ = row.split("\t")
        name = place.rsplit(":", 1)[1].split(".")[0]
        found[name] = max(found.get(name, 0), int(size))
    return found


def _container_stack(translation: Translation, frames: dict[str, int]) -> int:
    """Bytes that the container's functions take at most; of a recursive one, if each runs once.

    A frame as the compiler reports it holds the return address.  Functions beside the translated ones are
    leaves.
    """
    own = {function.number: frames.get(f"fn{function.number}", 0) for function in translation.functions}
    leaves = max(
        (size for name, size in frames.items() if not re.fullmatch(r"fn\d+|container_run", name)), default=0
    )
    outer = frames.get("container_run", 0) + leaves
    if translation.recursive:
        return outer + sum(own.values())
    return outer + _deepest(translation, own, translation.module.exports["run"])


def _deepest(translation: Translation, frames: dict[int, int], start: int) -> int:
    """The largest sum of frames along calls from a function on, of which none come back."""
    calls = {function.number: function.calls for function in translation.functions}
    depth: dict[int, int] = {}
    waiting = [start]
    while waiting:
        number = waiting[-1]
        missing = [callee for callee in calls.get(number, ()) if callee not in depth]
        if missing:
            waiting += missing
            continue
        below = max((depth[callee] for callee in calls.get(number, ())), default=0)
        depth[number] = frames.get(number, 0) + below
        waiting.pop()
    return depth[start]


def _contents(text: str) -> bytes:
    from intelhex import IntelHex

    image = IntelHex(io.StringIO(text))
    image.padding = 0xFF
    return bytes(image.tobinarray(start=0))


def _run(folder: Path, *command: str) -> str:
    """Standard output of a tool.  Raises RuneError when it is missing, ContainerError with its words."""
    done = run_program(command, timeout_s=_COMPILE_S, folder=folder, install=INSTALL)
    if done.status is None:
        raise ContainerError(f"`{command[0]}` took longer than {_COMPILE_S} s")
    if done.status != 0:
        raise ContainerError(f"`{command[0]}` failed:\n{done.stderr.strip()[:_MOST_WORDS]}")
    return done.stdout
