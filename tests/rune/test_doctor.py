"""`rune doctor`: one line for each tool, ok or the fix."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

from container.errors import ExitCode
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
