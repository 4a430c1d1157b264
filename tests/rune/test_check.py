"""`rune check`: diagnostics in the user's own file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from container.errors import ExitCode
from tests.rune.commands import EXAMPLES, printed, rune
from tests.snapshots import assert_snapshot

WRONG = """\
FROM runicos/base

CAPABILITY<F32[1]> angle RAW
PROC_BLOCK<F32[1],F32[1]> turn modulo --modulos 6.2831855
MODEL<F32[1],F32[1]> sine ./missing.tflite
OUT serial

RUN angle turn sine serail
"""


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    (tmp_path / "Runefile").write_text(WRONG)
    return tmp_path


def test_every_error_of_a_file(wrong: Path) -> None:
    result = rune("check", wrong)
    assert result.exit_code == ExitCode.RUNEFILE
    assert_snapshot("cli/check-wrong.txt", printed(result, folder=wrong))


def test_json_has_the_same_diagnostics_and_nothing_on_stderr(wrong: Path) -> None:
    result = rune("check", wrong, "--json")
    assert (result.exit_code, result.stderr) == (ExitCode.RUNEFILE, "")
    facts = json.loads(result.stdout)
    assert (facts["schema"], facts["ok"], facts["stages"]) == (1, False, [])
    places = {(found["line"], found["code"]) for found in facts["diagnostics"]}
    assert {(4, "unknown-argument"), (8, "unknown-name")} <= places


@pytest.mark.parametrize(("file", "stages"), [("sine/Runefile", 4), ("sine/int8.Runefile", 6), ("digits", 5)])
def test_the_examples_are_right(file: str, stages: int) -> None:
    result = rune("check", EXAMPLES / file)
    assert (result.exit_code, result.stderr) == (ExitCode.OK, "")
    assert result.stdout.endswith(f": ok, {stages} stages\n")


def test_json_of_a_right_file_has_every_type() -> None:
    facts = json.loads(rune("check", EXAMPLES / "sine" / "int8.Runefile", "--json").stdout)
    assert facts["ok"]
    quantized = next(stage for stage in facts["stages"] if stage["name"] == "quantized")
    assert quantized["outputs"][0]["quantization"] == {
        "scale": [pytest.approx(0.0246399)],
        "zero_point": [-128],
    }
