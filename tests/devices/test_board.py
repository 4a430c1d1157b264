"""Board files: all of them are read, and one that cannot be right says where."""

from __future__ import annotations

import pytest

from container.errors import ContainerError, UsageError
from devices import board
from devices.board import BOARDS, Region

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
        (MICROBIT, "{file}", "agent.hex", "own.toml: loader.probe: the command has no {file} in it"),
    ],
)
def test_a_file_that_cannot_be_right(text: str, before: str, after: str, message: str) -> None:
    assert before in text
    with pytest.raises(ContainerError) as caught:
        board.parse("own", text.replace(before, after, 1))
    assert caught.value.message.startswith(message)
