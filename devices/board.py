"""The boards that are known: what each TOML file in `boards/` says of one."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from itertools import pairwise
from pathlib import Path

from container import codec
from container.errors import ContainerError, UsageError

BOARDS = Path(__file__).parent / "boards"

_USB_ID = re.compile(r"[0-9A-F]{4}:[0-9A-F]{4}")
_NAME = re.compile(r"[a-z0-9-]{1,16}")
"""Of a board: it is in the header of images for it, and in C."""
_PIN = re.compile(r"[A-Z][0-7]")
_MACRO = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESSES = 1 << 32
_MAXIMUM_UNITS = 1 << 16
_RECORD_BYTES = 64
"""Of the agent, see firmware/core/storage.c."""


class Status(StrEnum):
    """How far a board was tried."""

    EMULATED = "emulated"
    """All of it in an emulator."""
    ROM_TESTED = "rom-tested"
    """Agent and containers in an emulator, its loader against a model of the chip's ROM."""
    UNTESTED = "untested"


class Architecture(StrEnum):
    """The cores that code is generated for."""

    CORTEX_M0 = "cortex-m0"
    CORTEX_M0PLUS = "cortex-m0plus"
    CORTEX_M3 = "cortex-m3"
    CORTEX_M4F = "cortex-m4f"
    CORTEX_M7F = "cortex-m7f"
    AVR = "avr"


class EmulatorKind(StrEnum):
    UNICORN = "unicorn"
    QEMU = "qemu"
    SIMAVR = "simavr"


@dataclass(frozen=True)
class Region:
    """A range of addresses; in bytes."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.start + self.size

    def holds(self, other: Region) -> bool:
        """Whether all of `other` lies inside."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True)
class Cpu:
    architecture: Architecture
    clock_hz: int
    mpu: bool
    """Whether a memory protection unit can be the sandbox."""
    model: str = ""
    """What the compiler calls the chip, where the architecture alone does not say it."""


@dataclass(frozen=True)
class EraseUnits:
    """Consecutive erase units of one size."""

    size: int
    count: int


@dataclass(frozen=True)
class Flash:
    start: int
    size: int
    units: tuple[EraseUnits, ...]
    """From `start` on."""
    slots: tuple[Region, ...]
    """Where containers lie: two beside an agent, one where a container is the whole image."""
    agent: Region | None = None
    records: Region | None = None
    """Where the agent keeps which slot is valid, tried and confirmed; at least two erase units."""


@dataclass(frozen=True)
class Ram:
    start: int
    size: int
    container: Region
    """For the stack and the linear memory of a container."""
    agent: Region | None = None


@dataclass(frozen=True)
class Uart:
    baud: int


@dataclass(frozen=True)
class Chip:
    family: str
    """Names the port file of the firmware."""
    defines: Mapping[str, int] = field(default_factory=dict)
    """Macros that the port file wants."""
    pins: tuple[str, ...] = ()
    """AVR: the port's letter and the bit of each pin, by the number that is printed on the board."""


@dataclass(frozen=True)
class Loader:
    container: str
    """How containers arrive: `smp` through the agent, `avrdude` through the bootloader."""
    agent: str = "none"
    """How the agent is installed over the serial port: `stm32flash`; `none` where only a probe can."""
    programmer: str = ""
    """avrdude's name for the bootloader's protocol."""
    probe: str = ""
    """A command that installs the agent through a debug probe; `{file}` stands for its file."""


@dataclass(frozen=True)
class EmulatorChoice:
    kind: EmulatorKind
    machine: str
    read_only_flash: bool = False
    """Whether nothing that the board writes to its flash arrives there."""


@dataclass(frozen=True)
class Board:
    """A microcontroller, real or emulated."""

    name: str
    title: str
    status: Status
    cpu: Cpu
    flash: Flash
    ram: Ram
    uart: Uart
    chip: Chip
    loader: Loader
    emulator: EmulatorChoice | None = None
    usb_ids: tuple[str, ...] = ()
    """`VID:PID` of its USB-to-serial chip, in upper-case hexadecimal; empty where that says nothing."""

    @property
    def has_agent(self) -> bool:
        """Whether it keeps containers beside a resident agent; otherwise a container is its whole image."""
        return self.flash.agent is not None


def boards() -> tuple[Board, ...]:
    """Every board, by name."""
    return tuple(load(path.stem) for path in sorted(BOARDS.glob("*.toml")))


def find(name: str) -> Board:
    """The board of that name.  Raises UsageError, with the nearest name, where there is none."""
    names = [path.stem for path in sorted(BOARDS.glob("*.toml"))]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"the boards are {', '.join(names)}"
        raise UsageError(f"there is no board {name!r}", hint=hint)
    return load(name)


@cache
def load(name: str) -> Board:
    """Read `boards/NAME.toml`."""
    return parse(name, (BOARDS / f"{name}.toml").read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Board:
    """The board in a TOML text.  Raises ContainerError that names the file and the place of the fault."""
    try:
        board = codec.decode(Board, {"name": name, **tomllib.loads(text)})
        _check(board)
    except (ContainerError, tomllib.TOMLDecodeError) as error:
        raise ContainerError(f"{name}.toml: {error}") from None
    return board


def _check(board: Board) -> None:
    """Whatever types alone do not say.  Raises ContainerError."""
    _check_names(board)
    flash, ram = board.flash, board.ram
    whole_flash, whole_ram = Region(flash.start, flash.size), Region(ram.start, ram.size)
    kept = [region for region in (flash.agent, flash.records, *flash.slots) if region is not None]
    _check_regions("flash", whole_flash, kept)
    _check_regions("ram", whole_ram, [region for region in (ram.container, ram.agent) if region is not None])
    _check_units(flash)
    if len(flash.slots) != (2 if board.has_agent else 1):
        raise ContainerError("flash.slots: expected two beside an agent, else one")
    if board.has_agent != (flash.records is not None) or board.has_agent != (ram.agent is not None):
        raise ContainerError("flash.records, ram.agent: an agent needs both, and nothing else needs them")
    if board.has_agent:
        _check_borders(flash, kept)
    if board.loader.probe and "{file}" not in board.loader.probe:
        raise ContainerError("loader.probe: the command has no {file} in it")
    if board.cpu.clock_hz <= 0 or board.uart.baud <= 0:
        raise ContainerError("cpu.clock_hz, uart.baud: expected numbers above 0")
    for usb_id in board.usb_ids:
        if not _USB_ID.fullmatch(usb_id):
            raise ContainerError(f"usb_ids: {usb_id!r} is not of the form 2341:0043")


def _check_names(board: Board) -> None:
    if not _NAME.fullmatch(board.name):
        raise ContainerError("its name: expected at most 16 of a to z, 0 to 9 and `-`")
    for pin in board.chip.pins:
        if not _PIN.fullmatch(pin):
            raise ContainerError(f"chip.pins: {pin!r} is not of the form D0")
    for macro in board.chip.defines:
        if not _MACRO.fullmatch(macro):
            raise ContainerError(f"chip.defines: {macro!r} is no name of a macro in C")


def _check_units(flash: Flash) -> None:
    if any(units.size <= 0 or units.count <= 0 for units in flash.units):
        raise ContainerError("flash.units: expected sizes and counts above 0")
    if sum(units.count for units in flash.units) > _MAXIMUM_UNITS:
        raise ContainerError(f"flash.units: more than {_MAXIMUM_UNITS:,}")
    if sum(units.size * units.count for units in flash.units) != flash.size:
        raise ContainerError("flash.units: they do not add up to flash.size")


def _check_borders(flash: Flash, regions: list[Region]) -> None:
    """What is erased by itself is made of whole units; the log of records, of at least two."""
    borders = _unit_borders(flash)
    for region in regions:
        if not {region.start, region.end} <= borders:
            raise ContainerError(f"flash: {region.start:#x} + {region.size:#x} is not made of erase units")
    records = flash.records
    if records is None:
        return
    inside = [border for border in borders if records.start < border < records.end]
    if not inside:
        raise ContainerError("flash.records: expected at least two erase units")
    if any((border - records.start) % _RECORD_BYTES for border in (*inside, records.end)):
        raise ContainerError(f"flash.records: expected erase units of a multiple of {_RECORD_BYTES} bytes")


def _check_regions(name: str, whole: Region, regions: list[Region]) -> None:
    if whole.start < 0 or whole.end > _ADDRESSES:
        raise ContainerError(f"{name}: {whole.start:#x} + {whole.size:#x} are not addresses of 32 bits")
    for region in regions:
        if region.size <= 0 or not whole.holds(region):
            raise ContainerError(f"{name}: {region.start:#x} + {region.size:#x} lies outside of it")
    ordered = sorted(regions, key=lambda region: region.start)
    for before, after in pairwise(ordered):
        if before.end > after.start:
            raise ContainerError(f"{name}: the regions at {before.start:#x} and {after.start:#x} overlap")


def _unit_borders(flash: Flash) -> set[int]:
    address, borders = flash.start, {flash.start}
    for units in flash.units:
        for _ in range(units.count):
            address += units.size
            borders.add(address)
    return borders
