"""Arduino boards in simavr: real bootloaders for the real avrdude, flash that outlives the process."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
import serial

from container.errors import RuneError
from devices import board as boards
from devices.emulators import base, bootloaders
from tests.tools import needs_simavr

DEADLINE_S = 20.0
BOARDS = ("uno", "mega2560")
# Says once that it has started, then gives back each byte, one higher.
PROGRAM = """
#include <avr/io.h>
static void put(uint8_t byte) { while (!(UCSR0A & _BV(UDRE0))) {} UDR0 = byte; }
int main(void) {
  UCSR0A = _BV(U2X0); UBRR0 = 16; UCSR0B = _BV(RXEN0) | _BV(TXEN0); UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
  put('!');
  for (;;) { while (!(UCSR0A & _BV(RXC0))) {} put(UDR0 + 1); }
}
"""


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    needs_simavr()


def compiled(board: boards.Board, folder: Path) -> Path:
    source, elf, result = folder / "program.c", folder / "program.elf", folder / "program.hex"
    source.write_text(PROGRAM)
    subprocess.run(["avr-gcc", "-Os", f"-mmcu={board.cpu.model}", source, "-o", elf], check=True)
    subprocess.run(["avr-objcopy", "-O", "ihex", elf, result], check=True)
    return result


def avrdude(board: boards.Board, port: Path, program: Path) -> None:
    command = ["avrdude", "-p", board.cpu.model, "-c", board.loader.programmer, "-b", str(board.uart.baud)]
    command += ["-D", "-P", str(port), "-U", f"flash:w:{program}:i"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr


def greeting(port: Path) -> bytes:
    """What the program says after the port was opened, once the bootloader has given up waiting."""
    with serial.Serial(str(port), 115_200, timeout=DEADLINE_S) as line:
        found = bytes(line.read(1))
        line.write(b"HAL")
        return found + bytes(line.read(3))


@pytest.mark.parametrize("name", BOARDS)
def test_a_bootloader_takes_a_program_that_runs_at_each_opening_and_after_a_power_failure(
    name: str, tmp_path: Path
) -> None:
    board, state = boards.load(name), tmp_path / "flash"
    program = compiled(board, tmp_path)
    with base.start_emulator(board, state=state) as emulator:
        assert state.read_bytes()[:256] == b"\xff" * 256
        avrdude(board, emulator.port, program)
        start = time.monotonic()
        assert greeting(emulator.port) == b"!IBM"
        # Optiboot waits a second of the chip's time: it must not be faster than its crystal.
        assert name != "uno" or time.monotonic() - start > 0.9
        emulator.kill()
    with base.start_emulator(board, state=state) as emulator:
        assert greeting(emulator.port) == b"!IBM"


def test_the_flash_of_another_board_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "flash"
    state.write_bytes(b"\xff" * 0x8000)
    with pytest.raises(RuneError, match=r"has 32,768 bytes; the flash of mega2560 has 262,144"):
        base.start_emulator(boards.load("mega2560"), state=state)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootloaders, "FOLDER", tmp_path)
    with pytest.raises(RuneError) as caught:
        bootloaders.bootloader(boards.load("mega2560"))
    assert "stk500boot_v2_mega2560.hex is missing" in caught.value.message
    assert "arduino-core-avr" in (caught.value.hint or "")
