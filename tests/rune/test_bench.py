"""`rune bench`: latency on this machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

from container.errors import ExitCode
from tests.rune.commands import printed, rune
from tests.rune.guests import CRASH, guest_file
from tests.snapshots import assert_snapshot

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
