"""The examples from end to end: built from their Runefile, run on their input, the line that comes out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rune
from tests.rune.commands import EXAMPLES
from tests.rune.commands import rune as command

CASES = {
    "sine/Runefile": (["--raw", "sine/angle.npy"], "sine/expected.json"),
    "sine/int8.Runefile": (["--raw", "sine/angle.npy"], "sine/int8.expected.json"),
    "blocks/Runefile": (["--raw", "blocks/samples.npy"], "blocks/expected.json"),
    "digits/Runefile": (["--image", "digits/seven.png"], "digits/expected.json"),
}
"""For each Runefile the options that feed it and the file with the line it must print."""


@pytest.mark.parametrize("profile", rune.Profile)
@pytest.mark.parametrize("runefile", CASES)
def test_prints_the_expected_line(runefile: str, profile: rune.Profile, tmp_path: Path) -> None:
    (option, sample), expected = CASES[runefile]
    container = rune.build(EXAMPLES / runefile, tmp_path / "example.rune", profiles=[profile])
    result = command("run", container, option, EXAMPLES / sample)
    assert result.stderr == ""
    assert result.stdout == (EXAMPLES / expected).read_text()


@pytest.mark.parametrize(
    ("file", "value"),
    [
        ("sine/expected.json", pytest.approx(0.717, abs=0.013)),  # the sine of 0.8
        ("sine/int8.expected.json", pytest.approx(0.717, abs=0.025)),
        ("digits/expected.json", "seven"),
        ("blocks/expected.json", pytest.approx(10 / 3)),  # twice the mean of 4, 1 and 0
    ],
)
def test_the_expected_lines_are_right(file: str, value: object) -> None:
    line = json.loads((EXAMPLES / file).read_text())
    assert line["outputs"]["serial"][0]["values"] == [value]
