"""`rune verify`: golden vectors on this machine."""

from __future__ import annotations

import json
from pathlib import Path

from container.errors import ExitCode
from tests.rune.commands import printed, rune
from tests.rune.guests import guest_file
from tests.snapshots import assert_snapshot

RIGHT, WRONG = bytes([1, 2, 3, 4]), bytes([1, 2, 3, 5])


def test_equal_outputs(tmp_path: Path) -> None:
    assert_snapshot("cli/verify.txt", printed(rune("verify", guest_file(tmp_path, golden=RIGHT))))


def test_a_different_bit_ends_with_9(tmp_path: Path) -> None:
    assert_snapshot("cli/verify-differs.txt", printed(rune("verify", guest_file(tmp_path, golden=WRONG))))


def test_json_tells_what_differs(tmp_path: Path) -> None:
    result = rune("verify", guest_file(tmp_path, golden=WRONG), "--json")
    assert result.exit_code == ExitCode.VERIFICATION
    facts = json.loads(result.stdout)
    assert (facts["schema"], facts["ok"], facts["vectors"], facts["profiles"]) == (1, False, 1, ["simd"])
    difference = facts["differences"][0]
    assert (difference["expected"], difference["found"], difference["index"]) == ("5", "4", [0, 3])


def test_without_golden_vectors_there_is_nothing_to_verify(tmp_path: Path) -> None:
    result = rune("verify", guest_file(tmp_path))
    assert result.exit_code == ExitCode.CONTAINER
    assert "no golden vectors are sealed" in result.stderr
