"""`rune tune`, and `rune build` with what it found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from container.errors import ExitCode
from tests.rune.commands import EXAMPLES, rune
from tests.tools import needs

BOARD = "mps2-an386"


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the digits, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(EXAMPLES / "digits", tmp_path / "digits")
    return tmp_path / "digits"


def test_from_a_search_to_a_container(digits: Path) -> None:
    """The instructions of the container are those the search found, and its answers are right."""
    needs("qemu-system-arm")
    searched = rune("tune", digits, "--board", BOARD, "-o", "found.json", "--candidates", 1, "--json")
    assert searched.exit_code == ExitCode.OK, searched.output
    facts = json.loads(searched.stdout)
    tuning = facts["tuning"]
    assert (facts["file"], tuning["board"], tuning["pipeline"]) == ("found.json", BOARD, "digits")
    assert tuning == json.loads(Path("found.json").read_text())
    assert tuning["instructions"] <= tuning["untuned"]
    assert f"1 of {len(searched.stderr.splitlines())}: {tuning['untuned']:,} instructions" in searched.stderr
    for output in ("once.rune", "twice.rune"):
        built = rune("build", digits, "--blockings", "found.json", "-o", output)
        assert (built.exit_code, built.output) == (ExitCode.OK, "")
    assert Path("once.rune").read_bytes() == Path("twice.rune").read_bytes()
    bench = json.loads(rune("bench", "once.rune", "--board", BOARD, "--json").stdout)
    assert bench["inference"] == tuning["instructions"]
    assert rune("verify", "once.rune").exit_code == ExitCode.OK


def test_the_report_in_words(digits: Path) -> None:
    needs("qemu-system-arm")
    result = rune("tune", digits, "--board", BOARD, "-o", "found.json", "--for", "1ms")
    assert result.exit_code == ExitCode.OK
    tuning = json.loads(Path("found.json").read_text())
    lines = result.stdout.splitlines()
    count = f"{tuning['untuned']:,}"
    assert (
        lines[0]
        == f"{count} instructions an inference on {BOARD}, 0.0% less than the {count} without a search"
    )
    assert lines[2].split() == ["layer", "block", "instructions", "saved"]
    assert len(lines) == 5 + len(tuning["convolutions"]) + len(tuning["depthwise"])
    assert lines[-1] == "for `rune build --blockings found.json`"


def test_an_interrupted_search(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rune.tuning.tune", interrupted)
    result = rune("tune", digits, "--board", BOARD)
    assert result.exit_code == ExitCode.INTERRUPTED
    assert "interrupted; the same command goes on" in result.stderr
    assert not Path("blockings.json").exists()


def test_boards_that_do_not_count(digits: Path) -> None:
    result = rune("tune", digits, "--board", "uno")
    assert result.exit_code == ExitCode.USAGE
    assert "nothing counts the instructions of uno" in result.stderr
    assert BOARD in result.stderr


def test_an_emulator_that_is_missing(digits: Path) -> None:
    result = rune("tune", digits, "--board", BOARD, PATH="")
    assert result.exit_code == ExitCode.FAILED
    assert "qemu-system-arm, which is not installed" in result.stderr
    assert "hint:" in result.stderr


def test_small_code_is_not_searched_for(digits: Path) -> None:
    result = rune("tune", digits, "--board", BOARD, "--optimize", "size")
    assert result.exit_code == ExitCode.USAGE
    assert "counts instructions, and no bytes" in result.stderr


def test_a_faulty_file_of_blockings(digits: Path) -> None:
    Path("wrong.json").write_text('{"schema":1}')
    result = rune("build", digits, "--blockings", "wrong.json")
    assert result.exit_code == ExitCode.USAGE
    assert "wrong.json: pipeline: is missing" in result.stderr
    assert not Path("digits.rune").exists()


def test_blockings_of_another_pipeline(digits: Path) -> None:
    Path("other.json").write_text(
        '{"schema":1,"pipeline":"other","board":"microbit","core":"cortex-m0","optimization":"balanced",'
        '"tools":{},"untuned":2,"instructions":1,"convolutions":[{"layer":{"pixels":3,"channels":5,"taps":7},'
        '"choice":{"pixels":1,"pairs":1,"unrolled":4},"saved":1}]}'
    )
    result = rune("build", digits, "--blockings", "other.json", "--profile", "mcu", "--golden-samples", 0)
    assert result.exit_code == ExitCode.OK
    assert "other.json: none of its layers is in this pipeline" in result.stderr
