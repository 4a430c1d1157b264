"""Which serial port is meant, and finding it again."""

from __future__ import annotations

import os
import stat
import tty
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from container.errors import ExitCode, PortError
from devices.board import load
from devices.link import ports
from devices.link.ports import Port, Remembered, choose
from devices.link.stream import BrokenStreamError, SerialStream

UNO = Port("/dev/ttyACM0", "Arduino Uno", "2341:0043", "85430353")
OTHER_UNO = Port("/dev/ttyACM1", "Arduino Uno", "2341:0043", "75833353")
MICROBIT = Port("/dev/ttyACM2", "micro:bit", "0D28:0204", "9904")
CABLE = Port("/dev/ttyUSB0", "FT232R", "0403:6001", None)


def chosen(
    board: str | None, *seen: Port, explicit: str | None = None, remembered: Remembered | None = None
) -> str:
    return choose(load(board) if board else None, explicit, remembered, lambda: seen).device


def test_the_named_port_is_taken_whatever_else_there_is() -> None:
    assert chosen("uno", UNO, CABLE, explicit="/dev/ttyUSB0") == "/dev/ttyUSB0"
    assert chosen("uno", UNO, explicit="/dev/pts/77") == "/dev/pts/77"


def test_a_link_to_a_port_is_that_port(tmp_path: Path) -> None:
    link = tmp_path / "by-id"
    link.symlink_to("/dev/ttyACM0")
    assert choose(None, str(link), None, lambda: [UNO]) is UNO


def test_the_only_port_with_the_boards_usb_id_is_taken() -> None:
    assert chosen("uno", MICROBIT, UNO, CABLE) == UNO.device
    assert chosen(None, CABLE, MICROBIT) == MICROBIT.device


@pytest.mark.parametrize(
    ("board", "seen", "message"),
    [
        ("uno", (UNO, OTHER_UNO), "2 ports could be `uno`: /dev/ttyACM0, /dev/ttyACM1"),
        ("uno", (MICROBIT, CABLE), "no port looks like `uno`"),
        ("nrf52840", (CABLE,), "`nrf52840` cannot be told by its USB id: which port is it at?"),
        (None, (UNO, MICROBIT), "2 ports could be a board"),
        (None, (), "no port looks like a board"),
    ],
)
def test_a_port_is_never_guessed(board: str | None, seen: tuple[Port, ...], message: str) -> None:
    with pytest.raises(PortError, match=message) as caught:
        chosen(board, *seen)
    assert caught.value.exit_code is ExitCode.PORT
    for port in seen:
        assert port.device in (caught.value.hint or "")


def test_the_remembered_board_is_found_under_its_new_name() -> None:
    remembered = Remembered("uno", "/dev/ttyACM0", "85430353")
    renamed = replace(UNO, device="/dev/ttyACM7")
    assert chosen("uno", OTHER_UNO, renamed, remembered=remembered) == "/dev/ttyACM7"
    assert chosen(None, OTHER_UNO, renamed, remembered=remembered) == "/dev/ttyACM7"


def test_another_board_under_the_remembered_name_is_not_taken() -> None:
    remembered = Remembered("uno", "/dev/ttyACM0", "85430353")
    impostor = replace(OTHER_UNO, device="/dev/ttyACM0")
    with pytest.raises(PortError, match="2 ports"):
        chosen("uno", impostor, replace(OTHER_UNO, serial_number="1"), remembered=remembered)


def test_what_was_remembered_of_another_board_does_not_count() -> None:
    remembered = Remembered("uno", "/dev/ttyACM0", "85430353")
    assert chosen("microbit", UNO, MICROBIT, remembered=remembered) == MICROBIT.device


def test_a_port_without_serial_number_is_the_same_while_its_file_is(tmp_path: Path) -> None:
    device = tmp_path / "pts"
    device.touch()
    remembered = Remembered("nrf52840", str(device), None, ports.created_ns(str(device)))
    assert chosen("nrf52840", remembered=remembered) == str(device)
    with pytest.raises(PortError):
        chosen("nrf52840", remembered=replace(remembered, created_ns=1))
    device.unlink()
    with pytest.raises(PortError):
        chosen("nrf52840", remembered=remembered)


def test_it_is_remembered_in_the_project(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    what = Remembered("uno", "/dev/ttyACM0", "85430353", None, "x.rune", "ab" * 32)
    assert ports.recall(below) is None
    ports.remember(tmp_path, what)
    assert ports.recall(below) == what
    ports.remember(below, replace(what, board="mega2560"))
    assert [path.name for path in tmp_path.rglob("port.json")] == ["port.json"]
    assert ports.recall(tmp_path) == replace(what, board="mega2560")


@pytest.mark.parametrize("text", ["", "{", '{"board": 1}', '{"board":"uno"}', "[" * 100_000])
def test_a_damaged_memory_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / ".rune").mkdir()
    (tmp_path / ".rune" / "port.json").write_text(text)
    with pytest.raises(PortError, match=r"port\.json") as caught:
        ports.recall(tmp_path)
    assert "delete this file" in (caught.value.hint or "") or "larger" in caught.value.message


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    os.close(slave)
    yield master, name
    os.close(master)


def test_bytes_go_both_ways(pty: tuple[int, str]) -> None:
    master, name = pty
    stream = SerialStream(name, 115_200)
    stream.write(b"\x00\x11\x13\n\xff")
    assert os.read(master, 10) == b"\x00\x11\x13\n\xff"
    os.write(master, b"\x00\x03\x04\r\xff")
    assert stream.read(1.0) == b"\x00\x03\x04\r\xff"
    assert stream.read(0.0) == b""
    stream.close()
    stream.close()


def test_a_port_that_another_program_uses_is_told(pty: tuple[int, str]) -> None:
    first = SerialStream(pty[1], 115_200)
    with pytest.raises(PortError, match="another program uses this port"):
        SerialStream(pty[1], 115_200)
    first.close()


def test_a_port_that_vanishes_breaks_the_stream() -> None:
    master, slave = os.openpty()
    stream = SerialStream(os.ttyname(slave), 115_200)
    os.close(slave)
    os.close(master)
    with pytest.raises(BrokenStreamError):
        stream.read(1.0)
    with pytest.raises(BrokenStreamError):
        stream.write(b"x")
    stream.close()


@pytest.mark.parametrize("kind", ["missing", "file", "folder", "null"])
def test_what_is_no_port_is_refused(kind: str, tmp_path: Path) -> None:
    path = {"null": Path("/dev/null"), "folder": tmp_path}.get(kind, tmp_path / "x")
    if kind == "file":
        path.touch()
    with pytest.raises(PortError, match=str(path)):
        SerialStream(str(path), 115_200)


def test_a_port_one_may_not_open_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(PortError, match="you may not open this port") as caught:
        SerialStream("/dev/ttyACM0", 115_200)
    assert "dialout" in (caught.value.hint or "")


def test_opening_again_follows_the_serial_number(pty: tuple[int, str]) -> None:
    seen = [replace(UNO, device="/dev/gone")]
    again = ports.opener(replace(UNO, device="/dev/gone"), 115_200, lambda: seen)
    seen[0] = replace(UNO, device=pty[1])
    again().close()
    seen.clear()
    with pytest.raises(PortError, match="serial number 85430353 is gone"):
        again()


def test_ports_of_this_machine_can_be_listed() -> None:
    for port in ports.list_ports():
        assert stat.S_ISCHR(Path(port.device).stat().st_mode)
