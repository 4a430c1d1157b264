"""`rune fmt`: the canonical form, in place or converted."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.errors import ExitCode
from tests.rune.commands import EXAMPLES, rune

UNTIDY = "FROM   runicos/base\ncapability< f32 > x RAW # radians\nOUT serial\nRUN x serial\n"
TIDY = "FROM runicos/base\nCAPABILITY<F32[1]> x RAW # radians\nOUT serial\nRUN x serial\n"


@pytest.fixture
def untidy(tmp_path: Path) -> Path:
    file = tmp_path / "Runefile"
    file.write_text(UNTIDY)
    return file


def test_rewrites_the_file(untidy: Path) -> None:
    result = rune("fmt", untidy)
    assert (result.exit_code, result.output) == (ExitCode.OK, "")
    assert untidy.read_text() == TIDY


def test_check_writes_nothing(untidy: Path) -> None:
    result = rune("fmt", "--check", untidy)
    assert result.exit_code == ExitCode.FAILED
    assert (
        result.stderr
        == f"error: {untidy}: is not in its canonical form\nhint: `rune fmt {untidy}` writes it\n"
    )
    assert untidy.read_text() == UNTIDY
    rune("fmt", untidy)
    assert rune("fmt", "--check", untidy).exit_code == ExitCode.OK


def test_conversion_goes_to_stdout_and_back(untidy: Path, tmp_path: Path) -> None:
    yaml = rune("fmt", "--to", "yaml", untidy).stdout
    assert "version: 1" in yaml
    (tmp_path / "Runefile.yml").write_text(yaml)
    assert rune("fmt", "--to", "text", tmp_path / "Runefile.yml").stdout == TIDY
    assert untidy.read_text() == UNTIDY


def test_a_wrong_file_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "Runefile"
    file.write_text("FROM runicos/base\nCAPABILITY<F33> x RAW\n")
    result = rune("fmt", file)
    assert result.exit_code == ExitCode.RUNEFILE
    assert result.stderr.startswith(f"{file}:2:12: error[unknown-type]: ")
    assert file.read_text() == "FROM runicos/base\nCAPABILITY<F33> x RAW\n"


@pytest.mark.parametrize("file", ["sine/Runefile", "sine/int8.Runefile", "digits/Runefile"])
def test_the_examples_are_canonical(file: str) -> None:
    assert rune("fmt", "--check", EXAMPLES / file).exit_code == ExitCode.OK
