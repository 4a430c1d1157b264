"""`rune ports`, `flash`, `monitor`, and `run` and `verify` on a board: a board on a pseudo-terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from container.errors import ExitCode
from container.sections import Container, seal
from devices.link import ports
from devices.link.ports import Port
from tests.devices.link import applications
from tests.devices.link.applications import LARGE, LARGE_PORT, SMALL_PORT
from tests.devices.link.pty_board import plugged_in
from tests.rune.commands import printed, rune
from tests.snapshots import assert_snapshot

APP = applications.container()
UNO = Port("/dev/ttyACM0", "Arduino Uno", "2341:0043", "85430353")
CABLE = Port("/dev/ttyUSB0", "FT232R USB UART", "0403:6001", None)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is called; there is nothing but our port, and no compiler is needed."""

    class Built:
        def __init__(self, app: Container, board: object, slot: int) -> None:
            self.image = applications.image(app, slot)

        def function_at(self, pc: int) -> str:
            return "conv_3"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("devices.aot.build.build_image", Built)
    see(monkeypatch)
    return tmp_path


def see(monkeypatch: pytest.MonkeyPatch, *found: Port) -> None:
    monkeypatch.setattr(ports, "list_ports", lambda: list(found))
    monkeypatch.setattr(ports.choose, "__defaults__", (lambda: list(found),))


def saved(app: Container, folder: Path) -> Path:
    path = folder / f"{app.manifest.name}.rune"
    data = seal(app.manifest, app.modules, app.golden)
    path.write_bytes(data)
    return path


def flash_arguments(folder: Path, port: str) -> list[str]:
    return ["flash", str(saved(APP, folder)), "--board", "nrf52840", "--port", port]


def test_ports_are_listed_with_their_boards(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    see(monkeypatch, UNO, CABLE)
    ports.remember(folder, ports.Remembered("uno", "/dev/ttyACM9", UNO.serial_number))
    assert_snapshot("cli/ports.txt", printed(rune("ports")))
    facts = json.loads(rune("ports", "--json").stdout)
    assert [port["boards"] for port in facts["ports"]] == [["uno"], []]
    assert [port["remembered"] for port in facts["ports"]] == [True, False]


def test_without_ports_there_is_the_emulator() -> None:
    assert rune("ports").stdout == "no serial ports; `rune simulate BOARD` starts an emulated board\n"


def test_flash_run_verify_and_the_port_is_remembered(folder: Path) -> None:
    board = applications.board()
    (folder / "x.raw").write_bytes(bytes(range(8)))
    with plugged_in(board) as port:
        arguments = flash_arguments(folder, port)
        first = rune(*arguments)
        again = rune("flash", "doubler.rune")
        ran = rune("run", "doubler.rune", "--board", "nrf52840", "--raw", "x.raw", "--repeat", 2)
        verified = rune("verify", "doubler.rune", "--port", port)
    shown = re.sub(r"in [\d.]+ s, [\d.]+ KB/s", "in <time>, <rate>", first.output)
    assert shown == "doubler is on nrf52840 in slot 0: 3,169 bytes sent in <time>, <rate>\n"
    assert again.stdout == "doubler is on nrf52840 in slot 0; nothing had to be sent\n"
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [line["seq"] for line in lines] == [0, 1]
    assert lines[0]["outputs"]["serial"][1]["values"] == [0, 2, 4, 6]
    assert verified.stdout == "ok: 3 golden vectors of by hand, 2,112 values equal in mcu on nrf52840\n"
    assert board.slots[0].confirmed


def test_flash_tells_facts_as_json(folder: Path) -> None:
    with plugged_in(applications.holding(applications.container("older"))) as port:
        result = rune(*flash_arguments(folder, port), "--json")
    facts = json.loads(result.stdout)
    expected = {"schema": 1, "board": "nrf52840", "slot": 1, "image_bytes": 3169, "port": port}
    assert {name: facts[name] for name in expected} == expected
    assert facts["container_sha256"] == APP.digest
    transfer = facts["transfer"]
    assert (transfer["bytes"], transfer["framing"], transfer["resumed_at"]) == (3169, "cobs", 0)
    assert transfer["bytes_per_s"] > 0


def test_flash_shows_phases_and_the_limit(folder: Path) -> None:
    with plugged_in(applications.board()) as port:
        result = rune(*flash_arguments(folder, port), "-v")
    *phases, limits = result.stderr.splitlines()
    assert [phase.split()[0] for phase in phases] == ["translate", "upload", "start"]
    assert re.fullmatch(
        r"[\d,]+ bytes on the line in cobs framing, 0 requests repeated, link opened again 0 times; "
        r"the limit is the (serial line|board).*",
        limits,
    )


def test_errors_of_flash(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several ports; none; no board named; another board."""
    app = saved(APP, folder)
    see(monkeypatch, UNO, Port("/dev/ttyACM1", "Arduino Uno", "2341:0043", "7583"))
    several = rune("flash", app, "--board", "uno")
    none = rune("flash", app, "--board", "microbit")
    see(monkeypatch, CABLE)
    unnamed = rune("flash", app, "--port", CABLE.device)
    with plugged_in(applications.board(name="microbit")) as port:
        other = rune("flash", app, "--board", "nrf52840", "--port", port)
    found = [several, none, unnamed, other]
    codes = [ExitCode.PORT, ExitCode.PORT, ExitCode.USAGE, ExitCode.LINK]
    assert [result.exit_code for result in found] == codes
    assert_snapshot("cli/flash-errors.txt", "\n".join(printed(result) for result in found))
    assert not (folder / ".rune").exists()


def test_a_board_with_another_container_ends_with_5(folder: Path) -> None:
    (folder / "x.raw").write_bytes(bytes(8))
    app = saved(APP, folder)
    with plugged_in(applications.holding(applications.container("older"))) as port:
        ran = rune("run", app, "--port", port, "--raw", "x.raw")
        verified = rune("verify", app, "--port", port)
    assert ran.exit_code == verified.exit_code == ExitCode.CONTAINER
    assert "holds another container" in ran.stderr


def test_a_different_bit_on_the_board_ends_with_9(folder: Path) -> None:
    wrong = applications.container(wrong=True)
    with plugged_in(applications.holding(wrong)) as port:
        result = rune("verify", saved(wrong, folder), "--port", port)
    assert result.exit_code == ExitCode.VERIFICATION
    assert "mcu, vector 0 (by hand), output `serial.1`" in result.stderr


def test_a_fault_on_the_board_ends_with_6(folder: Path) -> None:
    board = applications.holding(APP)
    board.next_fault = {"cause": 1, "pc": 0x10200, "op": 1}
    (folder / "x.raw").write_bytes(bytes(8))
    with plugged_in(board) as port:
        result = rune("run", saved(APP, folder), "--port", port, "--board", "nrf52840", "--raw", "x.raw")
    assert result.exit_code == ExitCode.TRAP
    assert_snapshot("cli/run-board-fault.txt", printed(result))


@pytest.mark.parametrize("option", [["--metering", "1000"], ["--profile", "simd"]])
def test_what_boards_cannot_do_is_refused(option: list[str], folder: Path) -> None:
    result = rune("run", saved(APP, folder), "--port", "/dev/ttyACM0", "--random", 1, *option)
    assert result.exit_code == ExitCode.USAGE


def notifications(*values: tuple[int, bytes]) -> list[bytes]:
    """Of one inference each, in one part where it fits."""
    board = applications.board()
    return [
        board.output(sequence, port, data[start : start + 300], start, len(data))
        for sequence, small in values
        for port, data in ((LARGE_PORT, bytes(LARGE.bytes)), (SMALL_PORT, small))
        for start in range(0, len(data), 300)
    ]


def monitored(folder: Path, *options: str, known: bool = True) -> tuple[str, Callable[[], str]]:
    """What `rune monitor` prints of two inferences, and what it logs."""
    board = applications.holding(APP, own_sensors=True)
    given = ["--container", str(saved(APP, folder))] if known else []
    with plugged_in(board, notifications((3, b"abcd"), (4, b"\x1b\x00\xffz"))) as port:
        result = rune("monitor", "--port", port, *given, "--for", "1s", *options)
    assert board.resets == 0
    log = folder / "log.txt"
    return printed(result, port=port), lambda: log.read_text()


def test_monitor_prints_the_lines_of_run(folder: Path) -> None:
    text, _ = monitored(folder)
    assert text.startswith("exit code 0\n")
    lines = [json.loads(line) for line in text.splitlines()[2:4]]
    assert [line["seq"] for line in lines] == [3, 4]
    shown = [line["outputs"]["serial"][1]["values"] for line in lines]
    assert shown == [[97, 98, 99, 100], [27, 0, 255, 122]]


def test_monitor_without_the_container_shows_bytes(folder: Path) -> None:
    text, _ = monitored(folder, known=False)
    line = json.loads(text.splitlines()[2])
    assert line["outputs"][str(SMALL_PORT)] == [{"dtype": "u8", "shape": [4], "values": [97, 98, 99, 100]}]


def test_monitor_ends_with_the_line_it_waits_for(folder: Path) -> None:
    text, log = monitored(folder, "--until", r"\[97,98,99,100\]", "--timestamp", "--log", "log.txt")
    lines = text.splitlines()
    assert lines[0] == "exit code 0"
    assert re.match(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d \{"outputs"', lines[2])
    assert lines[3] == "--- stderr"
    assert log() == lines[2] + "\n"


def test_monitor_that_waits_in_vain_fails(folder: Path) -> None:
    text, _ = monitored(folder, "--until", "never")
    assert text.startswith("exit code 1\n")
    assert "no line had a match of 'never' in 1 s" in text


def test_monitor_of_a_container_that_the_host_feeds(folder: Path) -> None:
    with plugged_in(applications.holding(APP)) as port:
        result = rune("monitor", "--port", port, "--for", "1s")
    assert result.exit_code == ExitCode.CONTAINER
    assert "rune run APP.rune --port" in result.stderr


def test_monitor_of_another_container_than_given(folder: Path) -> None:
    with plugged_in(applications.holding(applications.container("older"))) as port:
        result = rune("monitor", "--port", port, "--container", saved(APP, folder))
    assert result.exit_code == ExitCode.CONTAINER


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--for", "soon"], "'soon' is no time such as 30s"),
        (["--for", "0s"], "'0s' is no time"),
        (["--until", "("], "'(' is no regular expression"),
        (["--board", "nano"], "there is no board 'nano'"),
    ],
)
def test_wrong_arguments_of_monitor(arguments: list[str], message: str) -> None:
    result = rune("monitor", *arguments)
    assert result.exit_code == ExitCode.USAGE
    assert message in result.stderr
