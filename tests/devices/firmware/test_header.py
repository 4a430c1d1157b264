"""What `board.h` says of a board."""

from __future__ import annotations

import re

import pytest

from devices import board
from devices.firmware.header import board_header


def macros(text: str) -> dict[str, str]:
    return dict(re.findall(r"^#define (\w+) (.+)$", text, re.MULTILINE))


def test_a_board_with_an_agent_has_all_of_its_regions() -> None:
    found = macros(board_header(board.find("netduinoplus2")))
    assert found["BOARD_NAME"] == '"netduinoplus2"'
    assert found["BOARD_CLOCK_HZ"] == "168000000u"
    assert found["BOARD_MPU"] == "1"
    assert found["BOARD_FLASH_UNITS"] == "{{16384u, 4u}, {65536u, 1u}, {131072u, 7u}}"
    assert (found["BOARD_FLASH_AGENT_START"], found["BOARD_FLASH_AGENT_SIZE"]) == ("0x8000000u", "0x4000u")
    assert found["BOARD_FLASH_RECORDS_START"] == "0x8004000u"
    assert found["BOARD_FLASH_RECORDS_SIZE"] == "0x8000u"
    assert (found["BOARD_SLOT1_START"], found["BOARD_SLOT1_SIZE"]) == ("0x8080000u", "0x60000u")
    assert (found["BOARD_RAM_CONTAINER_START"], found["BOARD_RAM_CONTAINER_SIZE"]) == (
        "0x20000000u",
        "0x1e000u",
    )
    assert (found["BOARD_RAM_AGENT_START"], found["BOARD_RAM_AGENT_SIZE"]) == ("0x2001e000u", "0x2000u")


def test_the_macros_of_a_chip_keep_their_names() -> None:
    found = macros(board_header(board.find("microbit")))
    assert (found["NRF51"], found["UART_TX_PIN"]) == ("1", "24")


@pytest.mark.parametrize("name", ["uno", "mega2560"])
def test_a_board_without_an_agent_has_one_slot_and_no_records(name: str) -> None:
    found = macros(board_header(board.find(name)))
    assert "BOARD_SLOT0_START" in found
    assert not {"BOARD_SLOT1_START", "BOARD_FLASH_RECORDS_START", "BOARD_RAM_AGENT_START"} & set(found)
