"""Boards in QEMU: the port as a client sees it; flash that outlives resets, processes and power failures."""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from container.errors import RuneError
from devices import board as boards
from devices.emulators import base, pty, qemu, qmp
from devices.emulators.qemu import Output
from tests.devices.emulators.firmware import ask, compile_c
from tests.tools import needs

ANSWER_S = 10.0

UARTS = {
    # Arm, "Cortex-M System Design Kit", APB UART: DATA, STATE, CTRL, BAUDDIV.
    "mps2-an386": """
static void init(void) { REG(0x40004010) = 160; REG(0x40004008) = 3; }
static uint8_t get(void) { while (!(REG(0x40004004) & 2)) {} return (uint8_t)REG(0x40004000); }
static void put(uint8_t byte) { while (REG(0x40004004) & 1) {} REG(0x40004000) = byte; }
static void write(uint32_t address, uint32_t word) { REG(address) = word; }
""",
    # Nordic, nRF51 Series Reference Manual: UART and NVMC.
    "microbit": """
static void init(void) { REG(0x40002500) = 4; REG(0x40002000) = 1; REG(0x40002008) = 1; }
static uint8_t get(void) { while (!REG(0x40002108)) {} REG(0x40002108) = 0; return (uint8_t)REG(0x40002518); }
static void put(uint8_t byte) { REG(0x4000211c) = 0; REG(0x4000251c) = byte; while (!REG(0x4000211c)) {} }
static void write(uint32_t address, uint32_t word) {
  REG(0x4001e504) = 1; while (!REG(0x4001e400)) {} REG(address) = word; while (!REG(0x4001e400)) {}
}
""",
    # ST, RM0090: USART1 on APB2, SR and DR.
    "netduinoplus2": """
static void init(void) { REG(0x4001100c) = 0x200c; }
static uint8_t get(void) { while (!(REG(0x40011000) & 32)) {} return (uint8_t)REG(0x40011004); }
static void put(uint8_t byte) { while (!(REG(0x40011000) & 128)) {} REG(0x40011004) = byte; }
static void write(uint32_t address, uint32_t word) { (void)address; (void)word; }
""",
}
COMMANDS = """
static uint32_t get_word(void) {
  uint32_t word = 0;
  for (int i = 0; i < 4; i++) word |= (uint32_t)get() << 8 * i;
  return word;
}
void start(void) {
  init();
  for (;;) {
    uint8_t command = get();
    uint32_t address = command == 'r' || command == 'w' ? get_word() : 0;
    if (command == 'p' || command == 'q') put(command);
    if (command == 'r') { for (int i = 0; i < 4; i++) put((uint8_t)(REG(address) >> 8 * i)); }
    if (command == 'w') { write(address, get_word()); put('k'); }
    if (command == 'e') { put(get()); }
    if (command == 'X') { put('x'); REG(0xe000ed0c) = 0x05fa0004; for (;;) {} }
    if (command == 'f') { for (;;) put('.'); }
  }
}
__attribute__((section(".vectors"), used)) static void *vectors[2] = { (void *)%s, (void *)start };
"""
"""p and q are answered with themselves; r ADDRESS reads a word, w ADDRESS WORD writes it to flash,
e BYTE echoes, X resets, f floods."""


@pytest.fixture(params=list(UARTS))
def board(request: pytest.FixtureRequest) -> boards.Board:
    needs(qemu.PROGRAM)
    return boards.find(request.param)


@pytest.fixture
def firmware(board: boards.Board, tmp_path: Path) -> bytes:
    return compile_c(board, UARTS[board.name] + COMMANDS % hex(board.ram.start + 0x2000), tmp_path)


def wait_until_ready(port: Path) -> None:
    """As on any board, what is sent before the program has switched the UART on is lost."""
    with serial.Serial(str(port), 115_200, timeout=0.1) as line:
        deadline = time.monotonic() + ANSWER_S
        while not line.read(1):
            assert time.monotonic() < deadline
            line.write(b"p")
        line.write(b"q")
        assert line.read_until(b"q").endswith(b"q")


def read_word(port: Path, address: int) -> int:
    return int(struct.unpack("<I", ask(port, b"r" + struct.pack("<I", address), 4))[0])


def write_word(port: Path, address: int, word: int) -> None:
    assert ask(port, b"w" + struct.pack("<II", address, word), 1) == b"k"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ANSWER_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def processes(marker: str) -> list[str]:
    """The command lines of the running processes that contain `marker`."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if marker in line:
            lines.append(line)
    return lines


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_clients_come_and_go(board: boards.Board, firmware: bytes) -> None:
    with base.start_emulator(board, firmware=firmware) as emulator:
        wait_until_ready(emulator.port)
        assert [ask(emulator.port, b"e" + bytes([k]), 1) for k in (0, 3, 4, 13, 17, 255)] == [
            b"\0", b"\3", b"\4", b"\r", b"\x11", b"\xff"
        ]  # fmt: skip


def test_flash_starts_erased_and_is_kept(board: boards.Board, firmware: bytes, tmp_path: Path) -> None:
    slot = board.flash.slots[0].start
    state = tmp_path / "flash"
    with base.start_emulator(board, firmware=firmware, state=state) as emulator:
        wait_until_ready(emulator.port)
        assert read_word(emulator.port, slot) == 0xFFFF_FFFF
        write_word(emulator.port, slot, 0x1234_5678)
    content = state.read_bytes()
    assert len(content) == board.flash.size
    assert content.startswith(firmware)
    written = b"\xff\xff\xff\xff" if board.name == "netduinoplus2" else b"\x78\x56\x34\x12"
    assert content[slot - board.flash.start :][:4] == written
    # The next one starts with it, whatever its firmware was.
    offset = slot - board.flash.start + 64
    state.write_bytes(content[:offset] + b"\1\2\3\4" + content[offset + 4 :])
    with base.start_emulator(board, firmware=firmware, state=state) as emulator:
        wait_until_ready(emulator.port)
        assert read_word(emulator.port, slot + 64) == 0x0403_0201


@pytest.mark.parametrize("board", ["mps2-an386", "microbit"], indirect=True)
def test_flash_outlives_a_reset_and_ram_does_not(board: boards.Board, firmware: bytes) -> None:
    address = board.flash.slots[1].start
    with base.start_emulator(board, firmware=firmware) as emulator:
        wait_until_ready(emulator.port)
        write_word(emulator.port, address, 0xCAFE_0000)
        port = emulator.port
        assert ask(port, b"X", 1) == b"x"
        wait_until_ready(port)
        assert ask(port, b"ea", 1) == b"a"
        assert read_word(port, address) == 0xCAFE_0000


@pytest.mark.parametrize("board", ["microbit"], indirect=True)
def test_a_power_failure_loses_nothing_that_is_older_than_a_moment(
    board: boards.Board, firmware: bytes, tmp_path: Path
) -> None:
    state, address = tmp_path / "flash", board.flash.slots[0].start
    with base.start_emulator(board, firmware=firmware, state=state) as emulator:
        wait_until_ready(emulator.port)
        write_word(emulator.port, address, 7)
        wait_for(lambda: state.read_bytes()[address : address + 4] == b"\7\0\0\0")
        guests = children(emulator.pid)
        os.kill(emulator.pid, signal.SIGKILL)
        wait_for(lambda: not any(Path(f"/proc/{pid}/fd").exists() for pid in guests))
        emulator.kill()
    assert len(guests) == 1
    assert len(state.read_bytes()) == board.flash.size


@pytest.mark.parametrize("board", ["microbit"], indirect=True)
def test_a_client_that_does_not_read_stops_nothing(
    board: boards.Board, firmware: bytes, tmp_path: Path
) -> None:
    with base.start_emulator(board, firmware=firmware) as emulator:
        wait_until_ready(emulator.port)
        descriptor = os.open(emulator.port, os.O_RDWR | os.O_NOCTTY)
        os.write(descriptor, b"f")
        # More than what the pseudo-terminal and the emulator keep, over and over.
        received = 0
        while received < 4 * pty.BACKLOG_BYTES:
            received += len(os.read(descriptor, 4096))
        os.close(descriptor)


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RuneError, match=r"microbit needs qemu-system-arm, which is not installed") as caught:
        base.start_emulator(boards.find("microbit"))
    assert caught.value.hint is not None
    assert "Debian package `qemu-system-arm`" in caught.value.hint


@pytest.mark.parametrize("board", ["mps2-an386"], indirect=True)
def test_a_state_of_another_size_is_refused(board: boards.Board, tmp_path: Path) -> None:
    state = tmp_path / "flash"
    state.write_bytes(b"short")
    with pytest.raises(RuneError, match=r"has 5 bytes; the flash of mps2-an386 has 4,194,304"):
        base.start_emulator(board, state=state)
    assert state.read_bytes() == b"short"


@pytest.mark.parametrize("board", ["mps2-an386"], indirect=True)
def test_firmware_that_is_too_large_is_refused(board: boards.Board) -> None:
    with pytest.raises(RuneError, match=r"the firmware has 32,769 bytes; mps2-an386 has room for 32,768"):
        base.start_emulator(board, firmware=bytes(0x8001))


def test_an_answer_comes_although_the_board_talks_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """QEMU answers nothing while the guest's bytes, written one by one, have no room."""
    monkeypatch.setattr(qmp, "ANSWER_S", 5.0)
    control, their_control = socket.socketpair()
    uart, their_uart = socket.socketpair()
    uart.setblocking(False)

    def qemu() -> None:
        their_control.sendall(b'{"QMP": {}}\n')
        their_control.recv(1000)
        for _ in range(5000):
            their_uart.sendall(b"x")
        their_control.sendall(b'{"return": {}}\n')

    peer = threading.Thread(target=qemu, daemon=True)
    peer.start()
    output = Output(uart)
    with control, their_control, uart, their_uart:
        qmp.QmpClient(control, uart, output.drain)
        peer.join(5.0)
        assert output.take() == b"x" * 5000
