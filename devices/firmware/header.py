"""The C header of a board, `board.h`: what its TOML file says, as macros for the firmware."""

from __future__ import annotations

from collections.abc import Iterator

from container.abi import ABI_VERSION
from devices.board import Board, Region


def board_header(board: Board) -> str:
    """The text of `board.h` for a board: addresses and sizes in bytes, clocks in hertz.

    `BOARD_FLASH_UNITS` is the initializer of an array of `{size, count}`, consecutive erase units from
    `BOARD_FLASH_START` on.  The macros of the chip, for its port file, stand under their own names.
    """
    lines = [f"#define {name} {value}" for name, value in _macros(board)]
    text = "\n".join(lines)
    return f"/* Made from {board.name}.toml. */\n#ifndef BOARD_H\n#define BOARD_H\n\n{text}\n\n#endif\n"


def _macros(board: Board) -> Iterator[tuple[str, str]]:
    yield "BOARD_NAME", f'"{board.name}"'
    yield "BOARD_ABI", f"{ABI_VERSION}"
    yield "BOARD_CLOCK_HZ", f"{board.cpu.clock_hz}u"
    yield "BOARD_MPU", f"{int(board.cpu.mpu)}"
    yield "BOARD_UART_BAUD", f"{board.uart.baud}u"
    yield from _region_macros("BOARD_FLASH", Region(board.flash.start, board.flash.size))
    units = ", ".join(f"{{{units.size}u, {units.count}u}}" for units in board.flash.units)
    yield "BOARD_FLASH_UNITS", f"{{{units}}}"
    yield from _region_macros("BOARD_RAM", Region(board.ram.start, board.ram.size))
    yield from _region_macros("BOARD_RAM_CONTAINER", board.ram.container)
    for number, slot in enumerate(board.flash.slots):
        yield from _region_macros(f"BOARD_SLOT{number}", slot)
    optional = {
        "BOARD_FLASH_AGENT": board.flash.agent,
        "BOARD_FLASH_RECORDS": board.flash.records,
        "BOARD_RAM_AGENT": board.ram.agent,
    }
    for name, region in optional.items():
        if region is not None:
            yield from _region_macros(name, region)
    for name, value in board.chip.defines.items():
        yield name, f"{value}"


def _region_macros(name: str, region: Region) -> Iterator[tuple[str, str]]:
    yield f"{name}_START", f"{region.start:#x}u"
    yield f"{name}_SIZE", f"{region.size:#x}u"
