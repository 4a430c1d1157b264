"""The agent through the STM32's ROM: the real `stm32flash` against a model of that ROM on a pty."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from container.errors import LinkError, PortError, RuneError, UsageError
from devices import board
from devices.loaders.stm32flash import BOOT0_HINT, INSTALL, install_agent
from tests.devices.loaders import stm32_rom
from tests.devices.loaders.stm32_rom import Faults, Rom
from tests.tools import needs

BOARD = board.find("netduinoplus2")
SLOT = BOARD.flash.slots[0].start - stm32_rom.FLASH_START
CONTAINER = random.Random(4).randbytes(4096)


def image(size: int = 5003) -> bytes:
    return random.Random(1).randbytes(size)


def used_rom(faults: Faults | None = None) -> Rom:
    """A chip that holds an older agent and a container."""
    rom = Rom(faults or Faults())
    rom.flash[: 16 << 10] = bytes(16 << 10)
    rom.flash[SLOT : SLOT + len(CONTAINER)] = CONTAINER
    return rom


@pytest.mark.parametrize("size", [1, 256, 5003, 16 << 10])
def test_the_flash_holds_the_agent_and_what_was_there_beside_it(size: int) -> None:
    needs("stm32flash")
    rom, agent = used_rom(), image(size)
    with rom.on_a_pty() as port:
        install_agent(BOARD, agent, port)
    # The program fills its last word up with what erased flash has.
    expected = bytearray(agent + b"\xff" * (sum(stm32_rom.SECTORS) - size))
    expected[SLOT : SLOT + len(CONTAINER)] = CONTAINER
    assert rom.flash == expected
    assert rom.erased == [0]
    assert rom.started == 0x0800_0000


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (Faults(deaf=True), "Failed to init device, timeout."),
        (Faults(refused=stm32_rom.EXTENDED_ERASE), "Can't initiate chip page erase!; Failed to erase memory"),
        (Faults(refused=stm32_rom.WRITE), "Got NACK from device on command 0x31; Failed to write memory"),
        (Faults(silent=stm32_rom.WRITE), "Unexpected reply from device on command 0x31"),
        (Faults(silent=stm32_rom.READ), "Unexpected reply from device on command 0x11"),
        (Faults(stuck=100), "Failed to verify at address 0x08000064, expected 0x"),
    ],
)
def test_a_loader_that_fails(faults: Faults, said: str) -> None:
    needs("stm32flash")
    with used_rom(faults).on_a_pty() as port, pytest.raises(LinkError) as caught:
        install_agent(BOARD, bytes(5003), port)
    assert caught.value.message.startswith(f"{port}: the agent was not installed: stm32flash: ")
    assert said in caught.value.message
    assert caught.value.hint == BOOT0_HINT


def test_it_takes_a_bounded_time() -> None:
    needs("stm32flash")
    with used_rom(Faults(deaf=True)).on_a_pty() as port, pytest.raises(LinkError, match=r"after 0 s"):
        install_agent(BOARD, image(), port, timeout_s=0.1)


def test_a_port_that_is_no_serial_line(tmp_path: Path) -> None:
    needs("stm32flash")
    (tmp_path / "port").touch()
    with pytest.raises(LinkError, match="the agent was not installed: stm32flash: "):
        install_agent(BOARD, image(), str(tmp_path / "port"))


def test_a_port_that_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The superuser may open any port: the program's words are played.
    program = tmp_path / "stm32flash"
    program.write_text('#!/bin/sh\necho "Failed to open port: $1: Permission denied" >&2\nexit 1\n')
    program.chmod(0o755)
    (tmp_path / "port").touch()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(LinkError) as caught:
        install_agent(BOARD, image(), str(tmp_path / "port"))
    assert "dialout" in (caught.value.hint or "")


def test_what_is_refused_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PortError, match="there is no such port"):
        install_agent(BOARD, image(), str(tmp_path / "gone"))
    for size in (0, (16 << 10) + 1):
        with pytest.raises(UsageError, match="an agent has 1 to 16,384 bytes"):
            install_agent(BOARD, bytes(size), str(tmp_path))
    other = replace(BOARD, loader=replace(BOARD.loader, agent="none"))
    with pytest.raises(UsageError, match="its agent is not installed by stm32flash"):
        install_agent(other, image(), str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuneError) as caught:
        install_agent(BOARD, image(), str(tmp_path))
    assert (caught.value.message, caught.value.hint) == ("the program `stm32flash` is not installed", INSTALL)
