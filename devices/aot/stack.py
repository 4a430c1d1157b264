"""How deep the native stack can get, read from the machine code itself.

Every instruction by which a Thumb function lowers its stack pointer is counted, whether it is reached or not,
and every direct call and jump out of it followed; so what the compiler's library takes is seen as well.
(ARMv7-M Architecture Reference Manual, A5 "Thumb instruction set encoding" and A7.7.)
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from container.errors import ContainerError
from devices.aot.elf import Elf, Symbol


@dataclass
class _Frame:
    bytes: int = 0
    calls: set[str] = field(default_factory=set)
    calls_indirectly: bool = False


@dataclass(frozen=True)
class StackUse:
    """In bytes, of all functions in one file."""

    deepest: int | None
    """Below the entry; None where a call may come back to a function that is at work, or goes anywhere."""
    largest_frame: int
    library: int
    """The deepest chain that begins in a function of the library."""


def stack_use(elf: Elf, entry: str, is_ours: frozenset[str]) -> StackUse:
    """The stack that functions take, `entry` and what it calls; those not in `is_ours` are the library's."""
    frames = _frames(elf)
    depths: dict[str, int | None] = {}
    library = [
        depth
        for name in frames
        if name not in is_ours and (depth := _depth(name, frames, depths)) is not None
    ]
    return StackUse(
        deepest=_depth(entry, frames, depths),
        largest_frame=max(frame.bytes for frame in frames.values()),
        library=max(library, default=0),
    )


def _depth(name: str, frames: dict[str, _Frame], known: dict[str, int | None]) -> int | None:
    """Bytes that a function and those it calls take, without recursion of Python's: chains may be long."""
    pending = [name]
    at_work: set[str] = set()
    while pending:
        current = pending[-1]
        missing = [callee for callee in frames[current].calls if callee not in known]
        if current in known:
            pending.pop()
        elif missing and current not in at_work:
            at_work.add(current)
            pending += missing
        else:
            depths = [known.get(callee) for callee in frames[current].calls]
            unknown = frames[current].calls_indirectly or None in depths
            deepest = max((depth for depth in depths if depth is not None), default=0)
            known[current] = None if unknown else frames[current].bytes + deepest
            at_work.discard(current)
            pending.pop()
    return known[name]


def _frames(elf: Elf) -> dict[str, _Frame]:
    functions = sorted(
        (symbol for symbol in elf.symbols if symbol.is_function and symbol.section == ".text"),
        key=lambda symbol: symbol.address,
    )
    starts = [function.address for function in functions]
    text = elf.sections[".text"]
    marks = sorted(
        (s.address, s.name[:2]) for s in elf.symbols if s.name[:2] in ("$t", "$d") and s.section == ".text"
    )
    frames: dict[str, _Frame] = {}
    for number, function in enumerate(functions):
        end = functions[number + 1].address if number + 1 < len(functions) else text.address + text.size
        frame = frames.setdefault(function.name, _Frame())
        for address, first, second in _instructions(text.data, text.address, function.address, end, marks):
            frame.bytes += _lowering(first, second, address, text.address, text.data)
            target = _branch(first, second, address)
            if target is not None and not function.address <= target < end:
                frame.calls.add(_function_at(target, functions, starts).name)
            frame.calls_indirectly |= first & 0xFF80 == 0x4780 or (
                first & 0xFF87 == 0x4700 and first != 0x4770
            )
    return frames


def _function_at(address: int, functions: list[Symbol], starts: list[int]) -> Symbol:
    position = bisect_right(starts, address) - 1
    if position < 0:
        raise ContainerError(f"the code jumps to {address:#x}, where no function is")
    return functions[position]


def _instructions(
    data: bytes, base: int, start: int, end: int, marks: list[tuple[int, str]]
) -> Iterator[tuple[int, int, int]]:
    """Address, first and second halfword (0 in one of 16 bits) of each instruction, without data between."""
    address = start
    while address + 2 <= end:
        position = bisect_right(marks, (address, "$~")) - 1
        if position >= 0 and marks[position][1] == "$d":
            address = marks[position + 1][0] if position + 1 < len(marks) else end
            continue
        first = _halfword(data, address - base)
        wide = first >> 11 in (0b11101, 0b11110, 0b11111)
        yield address, first, _halfword(data, address + 2 - base) if wide else 0
        address += 4 if wide else 2


def _halfword(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 2], "little")


def _lowering(first: int, second: int, address: int, base: int, data: bytes) -> int:
    """By how many bytes an instruction lowers the stack pointer."""
    if first & 0xFE00 == 0xB400:  # push
        return 4 * (first & 0x1FF).bit_count()
    if first & 0xFF80 == 0xB080:  # sub sp, #imm7
        return 4 * (first & 0x7F)
    if first & 0xFF87 == 0x4485:  # add sp, rm, with what was loaded into rm
        return max(0, -_loaded(first >> 3 & 0xF, address, base, data))
    if first == 0xE92D:  # push.w
        return 4 * second.bit_count()
    if first & 0xFBFF in (0xF1AD, 0xF2AD) and second & 0x8F00 == 0x0D00:  # sub.w, subw sp, sp, #imm
        return _immediate(first, second)
    if first & 0xFFBF == 0xED2D:  # vpush
        return 4 * (second & 0xFF)
    if first == 0xF84D and second & 0x0F00 == 0x0D00:  # str rt, [sp, #-imm]!
        return second & 0xFF
    if first == 0xE96D:  # strd rt, rt2, [sp, #-imm]!
        return 4 * (second & 0xFF)
    return 0


def _immediate(first: int, second: int) -> int:
    """The constant of `sub.w` (A5.3.2 "Modified immediate constants in Thumb instructions") or `subw`."""
    value = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    if first & 0x0200:
        return value
    if value >> 10:
        unrotated, rotation = 0x80 | value & 0x7F, value >> 7
        return (unrotated >> rotation | unrotated << (32 - rotation)) & 0xFFFFFFFF
    return (value & 0xFF) * (1, 0x10001, 0x1000100, 0x1010101)[value >> 8 & 3]


def _loaded(register: int, address: int, base: int, data: bytes) -> int:
    """The signed word that the nearest `ldr register, [pc, #imm]` before an address loads."""
    for position in range(address - base - 2, max(-1, address - base - 32), -2):
        first = _halfword(data, position)
        if first >> 8 == 0x48 | register:
            place = (base + position + 4 & ~3) + 4 * (first & 0xFF) - base
            return int(struct.unpack_from("<i", data, place)[0])
    raise ContainerError(f"the stack that the function at {address:#x} takes is not known")


def _branch(first: int, second: int, address: int) -> int | None:
    """Where a call or a jump goes; None for other instructions, and for jumps to a register."""
    if first & 0xF800 == 0xE000:  # b, 16 bits
        return address + 4 + _signed(first << 1 & 0xFFF, 12)
    if first & 0xF800 != 0xF000 or not second & 0x8000:
        return None
    sign = first >> 10 & 1
    if second & 0x5000:  # bl, b.w
        i1, i2 = (~((second >> 13 & 1) ^ sign)) & 1, (~((second >> 11 & 1) ^ sign)) & 1
        high = sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3FF) << 12
        return address + 4 + _signed(high | (second & 0x7FF) << 1, 25)
    if first >> 7 & 7 == 7:  # msr, hints, barriers
        return None
    high = sign << 20 | (second >> 11 & 1) << 19 | (second >> 13 & 1) << 18 | (first & 0x3F) << 12
    return address + 4 + _signed(high | (second & 0x7FF) << 1, 21)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
