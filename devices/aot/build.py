"""Builds the image of a container for a board."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from container.errors import ContainerError
from container.manifest import MemoryPlan
from container.sections import Container
from devices.aot import elf as elves
from devices.aot import machine
from devices.aot.elf import Elf
from devices.aot.stack import stack_use
from devices.aot.translate import Marks, Translation, translate
from devices.aot.unit import ENTRY, PORTS, RAM, board_unit, portable_unit
from devices.board import Architecture, Board
from devices.budget import STACK, WEIGHTS, Memory, Need, Part, check_fits, ram_parts
from devices.image import HEADER_BYTES, TRAILER_BYTES, BoardImage, ImageHeader

STACK_LIMIT = "rune_stack_limit"
STACK_ALIGNMENT = 8
"""AAPCS, "Stack constraints at a public interface"."""
EXCEPTION_BYTES = 36
"""What the core pushes when an exception comes: eight words, and one that aligns them."""
EXCEPTION_BYTES_FPU = 108
"""The same with the registers of its floating-point unit (ARMv7-M Architecture Reference Manual, B1.5.7)."""
RECURSION_BYTES = 2048
"""Stack of a container whose functions may call themselves, or are called through the table."""


@dataclass(frozen=True)
class Build:
    """An image and what it is made of; sizes in bytes."""

    image: BoardImage
    code_bytes: int
    read_only_bytes: int
    """Constants of the container and of the code."""
    stack_bytes: int
    linear_bytes: int
    """The linear memory's part in RAM."""
    variable_bytes: int
    """Other variables in RAM."""
    symbols: tuple[tuple[int, str], ...]
    """Address and name of each function, by address."""

    @property
    def flash_bytes(self) -> int:
        """Of the slot, all in all."""
        return HEADER_BYTES + len(self.image.body) + TRAILER_BYTES

    @property
    def ram_bytes(self) -> int:
        return self.image.header.ram_bytes

    def need(self, board: Board, plan: MemoryPlan, slot: int = 0) -> Need:
        """Flash and RAM by named part, beside what the board has."""
        framing = self.flash_bytes - self.code_bytes - self.read_only_bytes
        flash = (
            Part("code", self.code_bytes),
            Part(WEIGHTS, self.read_only_bytes),
            Part("headers, trailer and alignment", framing),
        )
        others = self.ram_bytes - self.stack_bytes - self.linear_bytes
        ram = (
            Part(STACK, self.stack_bytes),
            *_filled(ram_parts(plan), self.linear_bytes),
            *((Part("variables of the machine code", others),) if others else ()),
        )
        return Need(Memory(flash, board.flash.slots[slot].size), Memory(ram, board.ram.container.size))

    def function_at(self, pc: int) -> str | None:
        """The name of the function that holds an address; None outside of the code."""
        position = bisect_right(self.symbols, (pc & ~1, "\U0010ffff")) - 1
        end = self.image.header.address + HEADER_BYTES + self.code_bytes
        return self.symbols[position][1] if position >= 0 and pc < end else None


def build_image(container: Container, board: Board, slot: int = 0, marks: Marks = "stages") -> Build:
    """The image of a container for one slot of a board.

    Raises ContainerError for a container that boards cannot take, BudgetError for one that does not fit:
    before anything is compiled where its memory plan alone is too large.
    """
    machine.target(board)
    check_fits(container, board)
    translation = translate(container)
    source, optimization = board_unit(translation, marks), translation.manifest.optimization
    unit = machine.compile_object(board, source, translation.constants, optimization)
    build = _link(board, translation, unit, slot)
    check_fits(container, board, build.need(board, translation.plan, slot))
    return build


def _filled(parts: Sequence[Part], total: int) -> tuple[Part, ...]:
    """The parts of a memory plan, the last of them adjusted so that they add up to `total`."""
    *named, rest = parts
    return (*named, Part(rest.name, max(0, total - sum(part.bytes for part in named))))


def export_c(container: Container) -> str:
    """The container as one C file for a firmware of one's own, documented at its head.

    Raises ContainerError for a container that boards cannot take.
    """
    return portable_unit(translate(container))


def _link(board: Board, translation: Translation, unit: bytes, slot: int) -> Build:
    """Linked once to see how much stack the functions take, and then for good."""
    flash, ram = board.flash.slots[slot].start + HEADER_BYTES, board.ram.container.start
    stack, margin = _stack(board, translation, _linked(board, unit, flash, ram, 0))
    file = _linked(board, unit, flash, ram + stack, ram + margin)
    return _build(board, translation, file, stack, slot)


def _linked(board: Board, unit: bytes, flash: int, ram: int, limit: int) -> Elf:
    return elves.parse(machine.link(board, unit, flash, ram, limit, (ENTRY, PORTS, STACK_LIMIT)))


def _stack(board: Board, translation: Translation, file: Elf) -> tuple[int, int]:
    """Bytes of stack, and how many of them the check of the stack leaves alone."""
    ours = {ENTRY, *(f"fn{number}" for number in translation.numbers)}
    use = stack_use(file, ENTRY, frozenset(ours))
    has_fpu = board.cpu.architecture in (Architecture.CORTEX_M4F, Architecture.CORTEX_M7F)
    exception = EXCEPTION_BYTES_FPU if has_fpu else EXCEPTION_BYTES
    margin = _aligned(use.largest_frame + use.library + exception)
    if translation.recursive:
        return margin + RECURSION_BYTES, margin
    if use.deepest is None:
        raise ContainerError("how much stack the container's code takes is not known: it calls in a circle")
    return _aligned(use.deepest + exception), margin


def _aligned(size: int) -> int:
    return -(-size // STACK_ALIGNMENT) * STACK_ALIGNMENT


def _build(board: Board, translation: Translation, file: Elf, stack: int, slot: int) -> Build:
    ram, address = board.ram.container, board.flash.slots[slot].start
    assert file.size_of(".data") == 0
    linear = file.symbol(RAM)
    variables = file.size_of(".bss")
    header = ImageHeader(
        board=board.name,
        address=address,
        entry=file.symbol(ENTRY).address,
        ram_start=ram.start,
        ram_bytes=_aligned(stack + variables),
        stack_bytes=stack,
        progress=linear.address + translation.plan.progress - translation.ram_start,
        ports=file.symbol(PORTS).address,
        container_sha256=bytes.fromhex(translation.digest),
    )
    return Build(
        image=BoardImage(header, _body(file, address + HEADER_BYTES)),
        code_bytes=file.size_of(".text"),
        read_only_bytes=file.size_of(".rodata"),
        stack_bytes=stack,
        linear_bytes=linear.size,
        variable_bytes=variables - linear.size,
        symbols=_named(translation, file),
    )


def _body(file: Elf, start: int) -> bytes:
    """What lies in flash, from the first byte behind the headers on, in whole words."""
    text, constants = file.sections[".text"], file.sections[".rodata"]
    data = bytearray(constants.address + constants.size - start)
    for section in (text, constants):
        data[section.address - start : section.address - start + section.size] = section.data
    return bytes(data) + bytes(-len(data) % 4)


def _named(translation: Translation, file: Elf) -> tuple[tuple[int, str], ...]:
    names = {f"fn{number}": translation.name_of(number) for number in translation.numbers}
    names[ENTRY] = translation.name_of(translation.module.exports["run"])
    functions = [symbol for symbol in file.symbols if symbol.is_function and symbol.section == ".text"]
    return tuple(sorted((symbol.address, names.get(symbol.name, symbol.name)) for symbol in functions))
