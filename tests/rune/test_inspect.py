"""`rune inspect`: what is inside a container."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from container import golden
from container.abi import Profile
from container.errors import ExitCode
from container.golden import GoldenVector
from container.manifest import PatchRecord
from container.sections import seal
from tests.container import samples
from tests.rune.commands import printed, rune
from tests.snapshots import assert_snapshot


@pytest.fixture
def container(tmp_path: Path) -> Path:
    file = tmp_path / "sample.rune"
    file.write_bytes(seal(samples.manifest(), samples.MODULES))
    return file


def test_page(container: Path) -> None:
    digest = hashlib.sha256(container.read_bytes()).hexdigest()
    assert_snapshot("cli/inspect.txt", printed(rune("inspect", container), digest=digest))


def test_state_is_told_where_a_profile_keeps_any(container: Path, tmp_path: Path) -> None:
    plan = samples.manifest().plans[Profile.MCU]
    streaming = {Profile.SIMD: replace(plan, state=512), Profile.MCU: replace(plan, state=512)}
    file = tmp_path / "stream.rune"
    file.write_bytes(seal(samples.manifest(plans=streaming), samples.MODULES))
    assert "of it state between runs" not in rune("inspect", container).stdout
    assert "  of it state between runs" in rune("inspect", file).stdout
    facts = json.loads(rune("inspect", file, "--json").stdout)
    assert facts["manifest"]["plans"]["mcu"]["state"] == 512


@pytest.mark.parametrize(("macs", "work"), [(608_256, "608,256 {} more"), (-512, "512 {} less")])
def test_patches_and_the_work_that_they_take(macs: int, work: str, tmp_path: Path) -> None:
    file = tmp_path / "patches.rune"
    patches = PatchRecord(4, 8, "conv_2d_0", "add_3", macs)
    file.write_bytes(seal(samples.manifest(patches=patches), samples.MODULES))
    line = f"conv_2d_0 to add_3 in 4 patches of 8 rows, {work.format('multiply-accumulates')} than without"
    assert f"Patches\n  {line}\n" in rune("inspect", file).stdout


def test_json_has_the_manifest_and_what_is_beside_it(container: Path) -> None:
    facts = json.loads(rune("inspect", container, "--json").stdout)
    assert facts["schema"] == 1
    assert facts["file"] == str(container)
    assert facts["sha256"] == hashlib.sha256(container.read_bytes()).hexdigest()
    assert facts["manifest"]["stages"][0]["name"] == "features"
    assert facts["modules"] == {"simd": 8, "mcu": 8}
    assert facts["golden"] == {"vectors": 0, "engines": []}


def test_golden_vectors_are_counted_and_their_engines_named(tmp_path: Path) -> None:
    outputs = {0: b"yes".ljust(8, b"\0"), 1: bytes(8)}
    vectors = [GoldenVector({"features": bytes([seed] * 4)}, outputs, f"seed {seed}") for seed in range(3)]
    manifest = samples.manifest(golden_engines=("tflite-micro", "numpy"))
    file = tmp_path / "golden.rune"
    file.write_bytes(seal(manifest, samples.MODULES, golden.encode(vectors)))
    assert "Golden vectors\n  3, computed by tflite-micro and numpy\n" in rune("inspect", file).stdout
    facts = json.loads(rune("inspect", file, "--json").stdout)
    assert facts["golden"] == {"vectors": 3, "engines": ["tflite-micro", "numpy"]}


@pytest.mark.parametrize("content", [b"", b"hello", b"\0asm\x01\0\0\0", b"\0asm\x01\0\0\0\0\xff"])
def test_what_is_no_container_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "bad.rune"
    file.write_bytes(content)
    result = rune("inspect", file)
    assert result.exit_code == ExitCode.CONTAINER
    assert result.stderr.startswith(f"error: {file}: ")
    assert result.stdout == ""
