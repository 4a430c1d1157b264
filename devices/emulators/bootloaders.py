"""The bootloaders of the Arduino boards, as Debian's package `arduino-core-avr` has them."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from container.errors import RuneError
from container.files import read_bounded
from container.programs import run_program
from devices.board import Board

FOLDER = Path("/usr/share/arduino/hardware/arduino/avr/bootloaders")
PACKAGES_HINT = "install the Debian packages `arduino-core-avr` and `gcc-avr avr-libc`"
_HEX_BYTES = 1 << 20
_COMPILE_S = 60


def start_address(board: Board) -> int:
    """Where a board's fuses let it start: behind the place of containers."""
    return board.flash.slots[0].end


def bootloader(board: Board) -> bytes:
    """What lies in the flash from `start_address` on.  Raises RuneError when a package is missing."""
    text = (
        _optiboot()
        if board.loader.programmer == "arduino"
        else _packaged("stk500v2/stk500boot_v2_mega2560.hex")
    )
    start, end = start_address(board), board.flash.start + board.flash.size
    from intelhex import IntelHex

    image = IntelHex(io.StringIO(text))
    image.padding = 0xFF
    if image.minaddr() < start or image.maxaddr() >= end:
        raise RuneError(f"the bootloader of {board.name} does not fit behind {start:#x}")
    return bytes(image.tobinarray(start=start, end=end - 1))


def _packaged(name: str) -> str:
    path = FOLDER / name
    if not path.exists():
        raise RuneError(f"the bootloader {path} is missing", hint=PACKAGES_HINT)
    return read_bounded(path, _HEX_BYTES).decode("ascii", "replace")


def _optiboot() -> str:
    """Optiboot for the ATmega328P, compiled from the package's source as its Makefile does.

    The packaged hex file is larger than its section and never starts a program; without the flashes of the
    LED it fits.
    """
    _packaged("optiboot/optiboot.c")
    source = FOLDER / "optiboot"
    with tempfile.TemporaryDirectory(prefix="rune-optiboot-") as folder:
        elf, hexadecimal = Path(folder) / "optiboot.elf", Path(folder) / "optiboot.hex"
        _call(
            *(
                "avr-gcc",
                "-mmcu=atmega328p",
                "-DF_CPU=16000000L",
                "-DBAUD_RATE=115200",
                "-DLED_START_FLASHES=0",
            ),
            *("-Os", "-fno-inline-small-functions", "-fno-split-wide-types", "-mshort-calls", "-w"),
            *("-nostartfiles", "-nostdlib", "-Wl,--relax", "-Wl,--gc-sections"),
            *("-Wl,--section-start=.text=0x7e00", "-Wl,--section-start=.version=0x7ffe"),
            *(f"-I{source}", str(source / "optiboot.c"), "-o", str(elf)),
        )
        _call(
            *("avr-objcopy", "-j", ".text", "-j", ".data", "-j", ".version", "-O", "ihex"),
            *("--set-section-flags", ".version=alloc,load", str(elf), str(hexadecimal)),
        )
        return hexadecimal.read_text()


def _call(*command: str) -> None:
    done = run_program(command, timeout_s=_COMPILE_S, install=PACKAGES_HINT)
    if done.status != 0:
        words = done.stderr.strip()[:1000]
        raise RuneError(f"the bootloader Optiboot cannot be compiled:\n{words}", hint=PACKAGES_HINT)
