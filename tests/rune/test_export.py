"""`rune export`: files, facts and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from container.errors import ExitCode
from devices.image import BoardImage
from rune import api
from tests.rune.commands import EXAMPLES, rune


@pytest.fixture(scope="module")
def sine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("export") / "sine.rune"
    return api.build(EXAMPLES / "sine" / "int8.Runefile", file, profiles=["mcu"], golden_samples=0)


def test_a_file_and_what_is_said_of_it(sine: Path, tmp_path: Path) -> None:
    file = tmp_path / "sine.img"
    result = rune("export", sine, "--board", "microbit", "--slot", 1, "-o", file)
    assert result.exit_code == ExitCode.OK, result.stderr
    assert result.stdout == f"{file}: {file.stat().st_size:,} bytes for microbit\n"
    assert BoardImage.parse(file.read_bytes()).header.address == 0x2_4000


def test_json(sine: Path, tmp_path: Path) -> None:
    file = tmp_path / "sine.c"
    facts = json.loads(rune("export", sine, "--board", "uno", "-o", file, "--json").stdout)
    size = file.stat().st_size
    assert facts == {"schema": 1, "file": str(file), "board": "uno", "slot": 0, "bytes": size}


def test_nothing_is_written_where_it_makes_no_sense(sine: Path, tmp_path: Path) -> None:
    file = tmp_path / "sine.elf"
    result = rune("export", sine, "--board", "uno", "-o", file)
    assert result.exit_code == ExitCode.USAGE
    assert result.stderr.startswith("error: uno executes nothing from a file .elf\nhint: name it .hex (")
    assert not file.exists()
