"""`rune doctor`: one line for each tool, ok or the fix."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from container.errors import ExitCode
from devices.link import ports
from rune import doctor
from rune.doctor import Finding
from tests.rune.commands import printed, rune
from tests.snapshots import assert_snapshot

FINDINGS = (
    Finding("python", "3.11.7", "runs Rune", "install Python 3.11 or later"),
    Finding("wasmtime", None, "runs containers", "pip install rune-tinyml"),
    Finding("dot", None, "draws pictures", "apt install graphviz", required=False),
)


def test_ok_or_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: FINDINGS)
    assert_snapshot("cli/doctor.txt", printed(rune("doctor")))


def test_what_is_optional_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: FINDINGS[::2])
    result = rune("doctor", "--json")
    assert result.exit_code == ExitCode.OK
    assert [tool["ok"] for tool in json.loads(result.stdout)["tools"]] == [True, False]


def test_finds_what_is_installed() -> None:
    versions = {finding.name: finding.found for finding in doctor.examine()}
    assert versions["wasmtime"] == metadata.version("wasmtime")
    assert int((versions["clang"] or "0").split(".")[0]) >= 20


def test_a_broken_compiler_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    clang = next(finding for finding in doctor.examine() if finding.name == "clang")
    assert not clang.ok
    assert clang.required


def test_a_missing_package_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "REQUIRED", {"no-such-distribution": "does nothing"})
    missing = [finding.name for finding in doctor.examine() if not finding.ok]
    assert "no-such-distribution" in missing


def finding(name: str) -> Finding:
    return next(finding for finding in doctor.examine() if finding.name == name)


def test_the_tools_of_boards_come_with_pip() -> None:
    for name in ("smpclient", "pyserial", "unicorn", "clang for Cortex-M", "wasm2c"):
        assert finding(name).ok
        assert finding(name).required


def test_a_clang_without_cortex_m_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CORTEX_M", "cortex_m99")
    assert not finding("clang for Cortex-M").ok


def test_what_avr_boards_and_emulators_need_is_optional(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "there.h").touch()
    signs = {
        "python3": ("snake", "hisses"),
        "no-such-program": ("nothing", "is nowhere"),
        f"{tmp_path}/there.h": ("header", "declares"),
        f"{tmp_path}/gone.h": ("gone", "declared"),
    }
    monkeypatch.setattr(doctor, "BOARD_PROGRAMS", signs)
    found = {item.name: item for item in doctor.examine()}
    assert [found[name].ok for name in ("snake", "nothing", "header", "gone")] == [True, False, True, False]
    assert (found["nothing"].required, found["nothing"].fix) == (False, "apt install nothing")


def test_ports_that_may_be_opened_and_those_that_may_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    devices = [tmp_path / "ttyACM0", tmp_path / "ttyACM1"]
    for device in devices:
        device.touch()
    monkeypatch.setattr(ports, "list_ports", lambda: [ports.Port(str(device)) for device in devices])
    assert finding("serial ports").found == f"{devices[0]}, {devices[1]}"
    monkeypatch.setattr("os.access", lambda path, mode: path != str(devices[1]))
    refused = finding("serial ports")
    assert (refused.ok, refused.required) == (False, False)
    assert refused.fix == "sudo usermod -aG dialout $USER, then log in again"


@pytest.mark.parametrize(
    ("user", "groups", "allowed"), [(0, [], True), (1000, [20], True), (1000, [100], False)]
)
def test_without_ports_the_group_counts(
    monkeypatch: pytest.MonkeyPatch, user: int, groups: list[int], allowed: bool
) -> None:
    monkeypatch.setattr(ports, "list_ports", list)
    monkeypatch.setattr("grp.getgrnam", lambda name: SimpleNamespace(gr_gid=20))
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("os.getgroups", lambda: groups)
    assert finding("serial ports").found == ("none is seen now" if allowed else None)


def test_without_the_group_there_is_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(ports, "list_ports", list)
    monkeypatch.setattr("grp.getgrnam", unknown)
    assert finding("serial ports").ok
