"""`rune agent`: files of the agent, the ROM's loader, and what is said where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from intelhex import IntelHex

from container.errors import ExitCode
from devices import board
from devices.firmware.build import build_agent
from tests.devices.loaders.stm32_rom import Faults, Rom
from tests.rune.commands import rune
from tests.tools import needs

BOARD = board.find("mps2-an386")
STM32 = board.find("netduinoplus2")


@pytest.mark.parametrize("suffix", [".bin", ".hex", ".elf"])
def test_files(tmp_path: Path, suffix: str) -> None:
    file, agent = tmp_path / f"agent{suffix}", build_agent(BOARD)
    result = rune("agent", "--board", BOARD.name, "-o", file)
    assert result.exit_code == ExitCode.OK
    assert result.stdout == (
        f"{file}: the agent of mps2-an386 takes {agent.flash_bytes:,} bytes of flash "
        f"and {agent.ram_bytes:,} of RAM\n"
    )
    data = file.read_bytes()
    if suffix == ".hex":
        read = IntelHex(str(file))
        assert read.minaddr() == BOARD.flash.start
        data = read.tobinarray().tobytes()
    assert data == agent.image if suffix != ".elf" else data.startswith(b"\x7fELF\x01\x01")


def test_json(tmp_path: Path) -> None:
    file = tmp_path / "agent.bin"
    facts = json.loads(rune("agent", "--board", BOARD.name, "-o", file, "--json").stdout)
    assert (facts["schema"], facts["board"], facts["file"], facts["port"]) == (1, BOARD.name, str(file), None)
    assert facts["flash_bytes"] == file.stat().st_size


def test_an_stm32_takes_it_through_its_rom() -> None:
    needs("stm32flash")
    rom, agent = Rom(), build_agent(STM32)
    with rom.on_a_pty() as port:
        result = rune("agent", "--board", STM32.name, "--port", port)
    assert result.exit_code == ExitCode.OK, result.stderr
    assert rom.flash[: len(agent.image)] == agent.image
    assert rom.started == STM32.flash.start


def test_a_rom_that_does_not_listen() -> None:
    needs("stm32flash")
    with Rom(Faults(deaf=True)).on_a_pty() as port:
        result = rune("agent", "--board", STM32.name, "--port", port)
    assert result.exit_code == ExitCode.LINK
    assert "hint: hold the board's BOOT0 pin high and reset it" in result.stderr


def test_no_port() -> None:
    result = rune("agent", "--board", STM32.name, "--port", "/dev/no-such-port")
    assert result.exit_code == ExitCode.PORT


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (
            ["--board", "nrf52840", "--port", "/dev/ttyACM0"],
            "nrf52840 has no loader that takes an agent over a serial port",
            "rune agent --board nrf52840 -o agent.hex, then with a debug probe: pyocd flash -t nrf52840",
        ),
        (
            ["--board", "mps2-an386"],
            "mps2-an386 has no loader that takes an agent over a serial port",
            "rune agent --board mps2-an386 -o agent.hex, then write the file with the board's own tool",
        ),
        (
            ["--board", "uno", "--port", "/dev/ttyACM0"],
            "uno has no agent: a container is its whole image",
            "rune flash APP.rune --board uno",
        ),
        (
            ["--board", "netduinoplus2"],
            "it is not said where the agent goes",
            "--port PORT installs it, -o FILE writes it",
        ),
        (
            ["--board", "mps2-an386", "-o", "agent.txt"],
            "an agent is no .txt",
            "name it .bin, .hex or .elf",
        ),
        (
            ["--board", "uno", "-o", "agent.hex"],
            "uno has no agent: a container is its whole image",
            "rune flash",
        ),
    ],
)
def test_what_makes_no_sense(arguments: list[str], error: str, hint: str) -> None:
    result = rune("agent", *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.startswith(f"error: {error}\nhint: {hint}")
    assert not Path("agent.txt").exists()
