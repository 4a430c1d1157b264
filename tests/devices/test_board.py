"""Board files: all of them are read, and one that cannot be right says where."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.errors import ContainerError, UsageError
from devices import board
from devices.board import BOARDS, Region
from devices.firmware.header import board_header

UNO = (BOARDS / "uno.toml").read_text()
MICROBIT = (BOARDS / "microbit.toml").read_text()


def test_every_file_is_a_board() -> None:
    assert [item.name for item in board.boards()] == sorted(path.stem for path in BOARDS.glob("*.toml"))


def test_what_a_file_says() -> None:
    found = board.find("microbit")
    assert found.flash.slots == (Region(0x8000, 0x1_C000), Region(0x2_4000, 0x1_C000))
    assert found.ram.container == Region(0x2000_0000, 0x3000)
    assert found.has_agent
    assert not board.find("uno").has_agent


@pytest.mark.parametrize(
    ("name", "hint"),
    [("micro:bit", "did you mean `microbit`?"), ("zx81", "the boards are mega2560, microbit,")],
)
def test_a_name_that_no_board_has(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        board.find(name)
    assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize(
    ("text", "before", "after", "message"),
    [
        (UNO, "title =", "title", "own.toml: "),
        (UNO, 'status = "emulated"', 'status = "perfect"', "own.toml: status: "),
        (UNO, "clock_hz = 16_000_000", "", "own.toml: cpu.clock_hz: "),
        (UNO, "count = 256", "count = 255", "own.toml: flash.units: they do not add up to flash.size"),
        (UNO, "size = 0x7E00", "size = 0x9000", "own.toml: flash: 0x0 + 0x9000 lies outside of it"),
        (UNO, '"2341:0043"', '"2341-0043"', "own.toml: usb_ids: '2341-0043' is not of the form 2341:0043"),
        (
            MICROBIT,
            "size = 0x800 }",
            "size = 0x900 }",
            "own.toml: flash: 0x4000 + 0x900 is not made of erase",
        ),
        (
            MICROBIT,
            "start = 0x0000_4000",
            "start = 0x0000_3C00",
            "own.toml: flash: the regions at 0x0 and 0x3c00",
        ),
        (
            MICROBIT,
            "size = 0x800 }",
            "size = 0x400 }",
            "own.toml: flash.records: expected at least two erase",
        ),
        (
            MICROBIT,
            "[{ size = 1024, count = 256 }]",
            "[{ size = 32, count = 8192 }]",
            "own.toml: flash.records: expected erase units of a multiple of 64 bytes",
        ),
        (MICROBIT, "NRF51 =", "'NRF-51' =", "own.toml: chip.defines: 'NRF-51' is no name of a macro in C"),
        (
            MICROBIT,
            "size = 0x4_0000",
            "size = 0x1_0000_0000_0000",
            "own.toml: flash: 0x0 + 0x1000000000000 are",
        ),
        (UNO, "start = 0x0100", "start = -1", "own.toml: ram: -0x1 + 0x800 are not addresses of 32 bits"),
        (UNO, "size = 128,", "size = -128,", "own.toml: flash.units: expected sizes and counts above 0"),
        (UNO, "count = 256", "count = 999_999_999", "own.toml: flash.units: more than 65,536"),
        (UNO, "baud = 115_200", "baud = 0", "own.toml: cpu.clock_hz, uart.baud: expected numbers above 0"),
        (MICROBIT, "{file}", "agent.hex", "own.toml: loader.probe: the command has no {file} in it"),
    ],
)
def test_a_file_that_cannot_be_right(text: str, before: str, after: str, message: str) -> None:
    assert before in text
    with pytest.raises(ContainerError) as caught:
        board.parse("own", text.replace(before, after, 1))
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize("name", ["", "Uno", 'uno"', "a" * 17, "uno\n"])
def test_a_name_that_neither_c_nor_an_image_takes(name: str) -> None:
    with pytest.raises(ContainerError, match="its name: expected at most 16 of a to z"):
        board.parse(name, UNO)


def refusal(text: str) -> str:
    """What is said of a file; empty where it is a board, of which a header can be made."""
    try:
        board_header(board.parse("own", text))
    except ContainerError as error:
        return error.message
    return ""


@given(st.sampled_from([UNO, MICROBIT]), st.integers(0, 2000), st.integers(0, 8), st.text(max_size=8))
def test_a_damaged_file_is_refused_or_a_board(text: str, place: int, removed: int, added: str) -> None:
    message = refusal(text[:place] + added + text[place + removed :])
    assert message == "" or message.startswith("own.toml: ")


@given(
    st.sampled_from(["start", "size", "count", "clock_hz", "baud"]),
    st.integers(-(2**70), 2**70),
    st.integers(0, 9),
)
def test_any_other_number_is_refused_or_a_board(key: str, value: int, which: int) -> None:
    found = list(re.finditer(rf"{key} = [0-9A-Fx_]+", MICROBIT))
    match = found[which % len(found)]
    message = refusal(f"{MICROBIT[: match.start()]}{key} = {value}{MICROBIT[match.end() :]}")
    assert message.startswith("own.toml: ") or (message == "" and value >= 0)
