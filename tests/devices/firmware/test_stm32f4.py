"""The sectors of the STM32F405's flash, whose controller no emulator has.

The agent's own machine code is asked for them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
import unicorn
from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_R0, UC_ARM_REG_R1, UC_ARM_REG_SP
from unicorn.unicorn_py3.unicorn import Uc

from devices.board import find
from devices.firmware.build import Agent, build_agent

BOARD = find("netduinoplus2")
RESULT, STACK = 0x20000000, 0x20000800
"""Where the function writes, and where its stack ends."""


@pytest.fixture(scope="module")
def agent() -> Agent:
    return build_agent(BOARD)


def sector_of(agent: Agent, address: int) -> tuple[int, int]:
    """Number and size of the sector that the agent takes an address to be in."""
    machine = Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    machine.mem_map(BOARD.flash.start, BOARD.flash.size)
    machine.mem_map(RESULT, 0x1000)
    machine.mem_write(BOARD.flash.start, agent.image)
    end = BOARD.flash.start + BOARD.flash.size - 2
    registers = {UC_ARM_REG_R0: address, UC_ARM_REG_R1: RESULT, UC_ARM_REG_SP: STACK, UC_ARM_REG_LR: end | 1}
    for register, value in registers.items():
        machine.reg_write(register, value)
    machine.emu_start(agent.symbols["sector_of"] | 1, end, count=1000)
    (size,) = struct.unpack("<I", machine.mem_read(RESULT, 4))
    return machine.reg_read(UC_ARM_REG_R0), size


def sectors() -> Iterator[tuple[int, int]]:
    """Start and size of each, by the board's file."""
    address = BOARD.flash.start
    for units in BOARD.flash.units:
        for _ in range(units.count):
            yield address, units.size
            address += units.size


def test_each_sector_is_found_by_its_first_and_last_byte(agent: Agent) -> None:
    assert len(list(sectors())) == 12
    for number, (start, size) in enumerate(sectors()):
        assert sector_of(agent, start) == (number, size)
        assert sector_of(agent, start + size - 1) == (number, size)
