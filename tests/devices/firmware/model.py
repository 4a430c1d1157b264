"""The firmware's storage compiled for this machine over the NOR model, and small boards and images for it."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Mapping
from pathlib import Path

from container.zig import run_zig
from devices.board import Board, EraseUnits, Flash, Region, find
from devices.firmware.header import board_header
from devices.image import HEADER_BYTES, BoardImage, ImageHeader

HERE = Path(__file__).parent
CORE = Path(board_header.__code__.co_filename).parent / "core"
SOURCES = ("storage.c", "image.c", "sha256.c", "crc.c")
END_OF_PORTS = b"\xff" + bytes(19)
"""A table of no sensors and outputs: `struct rune_port` with RUNE_PORT_END."""
FLASH = 0x1000_0000


def _board(name: str, units: tuple[EraseUnits, ...], records: Region, slots: tuple[Region, Region]) -> Board:
    agent = Region(FLASH, units[0].size)
    size = sum(unit.size * unit.count for unit in units)
    return dataclasses.replace(
        find("microbit"), name=name, flash=Flash(FLASH, size, units, slots, agent, records)
    )


EVEN = _board(
    "even",
    (EraseUnits(128, 64),),
    Region(FLASH + 0x200, 0x100),
    (Region(FLASH + 0x800, 0x200), Region(FLASH + 0x1000, 0x200)),
)
"""As an nRF51, smaller: two units for records, slots of four."""

MIXED = _board(
    "mixed",
    (EraseUnits(128, 4), EraseUnits(256, 2), EraseUnits(64, 32), EraseUnits(256, 8), EraseUnits(1024, 2)),
    Region(FLASH + 0x80, 0x380),
    (Region(FLASH + 0x500, 0x800), Region(FLASH + 0x1400, 0x800)),
)
"""Erase units of many sizes, as an STM32F4's; three units of 128 bytes and two of 256 for records."""


def board_image(board: Board, slot: int, body_bytes: int, salt: int = 0) -> BoardImage:
    """An image that fits a slot of a board; its body is a table of no ports and then a pattern."""
    start, ram = board.flash.slots[slot].start, board.ram.container
    body = END_OF_PORTS + bytes((index * 37 + body_bytes + salt) % 256 for index in range(body_bytes - 20))
    header = ImageHeader(
        board=board.name,
        address=start,
        entry=start + HEADER_BYTES + 20,
        ram_start=ram.start,
        ram_bytes=2048,
        stack_bytes=512,
        progress=ram.start + 1024,
        ports=start + HEADER_BYTES,
        container_sha256=bytes(range(32)),
    )
    return BoardImage(header, body)


def build_campaign(folder: Path, board: Board, patch: Mapping[str, str] | None = None) -> Path:
    """Compile `campaign.c` for a board, with texts of the firmware replaced by others."""
    return _build(folder, board, "campaign.c", "campaign", [], patch or {})


def build_library(folder: Path, board: Board, patch: Mapping[str, str] | None = None) -> Path:
    """Compile the firmware and the model as a library to be called from Python."""
    return _build(folder, board, "probe.c", "probe.so", ["-shared", "-fPIC"], patch or {})


def _build(
    folder: Path, board: Board, driver: str, product: str, flags: list[str], patch: Mapping[str, str]
) -> Path:
    (folder / "board.h").write_text(board_header(board), encoding="utf-8")
    sources = {name: (CORE / name).read_text(encoding="utf-8") for name in SOURCES}
    for old, new in patch.items():
        assert sum(text.count(old) for text in sources.values()) == 1, f"expected once in the firmware: {old}"
        sources = {name: text.replace(old, new) for name, text in sources.items()}
    includes = [f"-I{path}" for path in (folder, CORE, HERE)]
    common = ["cc", "-O3", "-std=gnu17", "-Wall", "-Wextra", *flags, *includes]
    firmware = folder / "firmware.c"
    firmware.write_text("\n".join(sources[name] for name in SOURCES), encoding="utf-8")
    compiled = folder / "firmware.o"
    run_zig(folder, *common, "-DNOR_FIRMWARE", "-include", "nor.h", "-c", str(firmware), "-o", str(compiled))
    run_zig(folder, *common, str(HERE / "nor.c"), str(HERE / driver), str(compiled), "-o", product)
    return folder / product


def write_images(folder: Path, board: Board) -> None:
    """The four images of the campaign, for each slot; one's size is no multiple of four."""
    for number, body_bytes in enumerate((100, 61, 300, 64)):
        for slot in (0, 1):
            image = board_image(board, slot, body_bytes, salt=number)
            (folder / f"{number}-{slot}.img").write_bytes(image.encode())


def run_campaign(program: Path, images: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Its output's last line is the sum; it ends with 1 at the first thing that must not be."""
    return subprocess.run(
        [program, images, *arguments], capture_output=True, text=True, check=False, timeout=3000
    )
