"""`rune bench`: latency on this machine, instructions and cycles of boards."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from container.errors import ExitCode
from rune.pictures.characters import BLOCKS
from tests.rune.commands import EXAMPLES, printed, rune
from tests.rune.guests import CRASH, guest_file
from tests.snapshots import assert_snapshot
from tests.tools import needs

BOARD_NUMBER = re.compile(r"(?<![\w-])\d[\d,.]*(?!\w)")
BAR = re.compile(f"[{BLOCKS.eighths}]+")
NUMBER = re.compile(r" *[\d,]+(\.\d)?(?= us|\n| *%|%)")


def test_report_in_words(tmp_path: Path) -> None:
    result = rune("bench", guest_file(tmp_path), "--duration", "0.05")
    shown = re.sub(r"\n\nstage.*(?=--- stderr)", "\n", printed(result), flags=re.DOTALL)
    lines = [NUMBER.sub(" N", line + "\n") for line in shown.splitlines() if not line.startswith("exit")]
    assert result.exit_code == ExitCode.OK
    assert_snapshot("cli/bench.txt", "".join(lines))


def test_report_as_json(tmp_path: Path) -> None:
    result = rune("bench", guest_file(tmp_path), "--duration", "0.05", "--json")
    facts = json.loads(result.stdout)
    assert facts["schema"] == 1
    assert facts["profile"] == "simd"
    assert facts["inferences"] >= 10
    assert 0 < facts["minimum_us"] <= facts["median_us"] <= facts["p90_us"]


def test_a_trap_ends_with_6(tmp_path: Path) -> None:
    assert rune("bench", guest_file(tmp_path, CRASH), "--duration", "0.05").exit_code == ExitCode.TRAP


def test_what_is_given_is_measured(tmp_path: Path) -> None:
    result = rune("bench", guest_file(tmp_path), "--raw", tmp_path / "missing.raw")
    assert result.exit_code == ExitCode.FAILED
    assert "missing.raw: cannot be read" in result.stderr


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bench") / "digits.rune"
    assert rune("build", EXAMPLES / "digits", "-o", file).exit_code == ExitCode.OK
    return file


def test_operators_on_this_machine(digits: Path) -> None:
    facts = json.loads(rune("bench", digits, "--ops", "--duration", "0.3", "--json").stdout)
    operators = facts["operators"]
    assert [found["operator"] for found in operators][:2] == ["read", "conv_2d_0"]
    assert sum(found["samples"] for found in operators) <= sum(found["samples"] for found in facts["stages"])
    assert operators[1]["macs"] == 8640  # 8 x 8 pixels, 15 filters of 3 x 3
    table = rune("bench", digits, "--ops", "--duration", "0.3").stdout
    assert re.search(r"1  conv_2d_0 +digits +[\d.]+ us +\d+%  8,640 +[\d,]*", table)


def test_a_chart_of_this_machine(digits: Path, tmp_path: Path) -> None:
    svg = tmp_path / "bars.svg"
    shown = rune("bench", digits, "--svg", svg, "--duration", "0.3", "--json")
    operators = [found["operator"] for found in json.loads(shown.stdout)["operators"]]
    written = texts(svg)
    assert written[0] == "digits: time by operator"
    assert [text for text in written if text in operators] == operators


def test_a_chart_of_a_board(digits: Path, tmp_path: Path) -> None:
    needs("qemu-system-arm")
    svg = tmp_path / "bars.svg"
    facts = json.loads(rune("bench", digits, "--board", "mps2-an386", "--svg", svg, "--json").stdout)
    written = texts(svg)
    assert written[1].startswith(f"{facts['with_marks']:,} instructions an inference on mps2-an386")
    for found in facts["operators"]:
        assert f"{found['count']:,}" in written
    convolution = facts["operators"][1]
    assert f"{convolution['count'] / convolution['macs']:.2f}" in written


def test_bars_beside_the_table(digits: Path) -> None:
    """The operator that takes longest has the longest bar."""
    lines = rune("bench", digits, "--ops", "--duration", "0.3").stdout.splitlines()
    rows = [line for line in lines if re.match(r" ?\d+  \w", line)]
    longest = max(rows, key=lambda row: float(row.split(" us")[0].split()[-1].replace(",", "")))
    assert longest.endswith("█" * 16)


def texts(svg: Path) -> list[str]:
    """What is written in a picture, in its order."""
    root = ElementTree.fromstring(svg.read_text())
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_board_in_words(digits: Path) -> None:
    needs("qemu-system-arm")
    result = rune("bench", digits, "--board", "mps2-an386", "--ops")
    lines = [
        line if line.startswith("exit") else BOARD_NUMBER.sub("N", line)
        for line in printed(result).splitlines()
    ]
    shown = "\n".join(BAR.sub("█", re.sub(r" {2,}", "  ", line)) for line in lines)
    assert_snapshot("cli/bench-board.txt", shown + "\n")


def test_a_board_as_json(digits: Path) -> None:
    needs("qemu-system-arm")
    facts = json.loads(rune("bench", digits, "--board", "mps2-an386", "--json").stdout)
    assert (facts["schema"], facts["board"], facts["unit"]) == (1, "mps2-an386", "instructions")
    assert (facts["resolution"], facts["hz"], facts["operators"]) == (1, None, [])
    assert facts["inference"] == sum(stage["count"] for stage in facts["stages"])


def test_cycles_of_an_emulated_board(digits: Path) -> None:
    """An instruction takes the virtual nRF52840 a cycle: two emulators come to about the same count."""
    needs("qemu-system-arm")
    cycles = json.loads(rune("bench", digits, "--board", "nrf52840", "--json").stdout)
    instructions = json.loads(rune("bench", digits, "--board", "mps2-an386", "--json").stdout)
    assert (cycles["unit"], cycles["hz"]) == ("cycles", 64_000_000)
    assert instructions["inference"] <= cycles["inference"] < instructions["inference"] * 1.05
    assert cycles["inference"] == sum(stage["count"] for stage in cycles["stages"])


def test_what_boards_do_not_have(digits: Path) -> None:
    simd = rune("bench", digits, "--board", "mps2-an386", "--profile", "simd")
    operators = rune("bench", digits, "--board", "nrf52840", "--ops")
    assert (simd.exit_code, operators.exit_code) == (ExitCode.USAGE, ExitCode.USAGE)
    assert "boards run the profile `mcu`" in simd.stderr
    assert "cycles are told by stage alone" in operators.stderr
