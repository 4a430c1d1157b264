"""`rune size`: what a container takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from container.abi import Profile
from container.errors import ExitCode
from container.manifest import MemoryPlan, OperatorRecord
from container.sections import seal
from tests.container import samples
from tests.rune.commands import printed, rune
from tests.snapshots import assert_snapshot

OPERATORS = (
    OperatorRecord("read", "features", 0, 1000),
    OperatorRecord("conv_0", "net", 1200, 16000),
    OperatorRecord("conv_1", "net", 300, 9000),
    OperatorRecord("label", "word", 0, 12),
)
PLAN = MemoryPlan(56_000, 35_000, 16_000, 4_000, 35_016, OPERATORS, state=900)


@pytest.fixture
def container(tmp_path: Path) -> Path:
    plans = {Profile.SIMD: replace(PLAN, linear_memory=65_536, state=0), Profile.MCU: PLAN}
    file = tmp_path / "sample.rune"
    file.write_bytes(seal(samples.manifest(plans=plans), samples.MODULES))
    return file


def test_page(container: Path) -> None:
    assert_snapshot("cli/size.txt", printed(rune("size", container)))


def test_json(container: Path) -> None:
    facts = json.loads(rune("size", container, "--json").stdout)
    assert facts["schema"] == 1
    assert facts["file"] == str(container)
    assert facts["sections"].keys() == {
        "module of the profile simd",
        "module of the profile mcu",
        "manifest",
    }
    mcu = facts["profiles"]["mcu"]
    assert (mcu["module"], mcu["linear_memory"]) == (8, 56_000)
    assert sum(mcu["parts"].values()) == 56_000
    assert mcu["stages"][1] == {"stage": "net", "operators": 2, "macs": 1500, "arena_bytes": 16_000}


def test_what_is_no_container_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.rune"
    file.write_bytes(b"hello")
    result = rune("size", file)
    assert result.exit_code == ExitCode.CONTAINER
    assert result.stderr.startswith(f"error: {file}: ")
