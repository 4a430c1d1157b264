"""Proc blocks in a row: what works element by element becomes one loop, across stages, and stays exact."""

from __future__ import annotations

from pathlib import Path

import pytest

import rune

RUNEFILE = """\
FROM runicos/base
CAPABILITY<F32[5]> angle RAW
PROC_BLOCK<_,_> turned modulo --modulus 360
PROC_BLOCK<_,_> part scale --factor 0.5 --offset -20
PROC_BLOCK<_,_> limited clip --low 0 --high 100
PROC_BLOCK<_,I16[5]> whole cast
PROC_BLOCK<_,_> first most_confident_indices --count 2
OUT serial
RUN angle turned part limited whole first
RUN (whole, first, part) serial
"""


@pytest.mark.parametrize("profile", ["simd", "mcu"])
def test_blocks_in_a_row(profile: str, tmp_path: Path) -> None:
    (tmp_path / "Runefile").write_text(RUNEFILE)
    rune.build(tmp_path / "Runefile", tmp_path / "row.rune", profiles=[profile])
    with rune.load(tmp_path / "row.rune") as application:
        outputs = application.run({"angle": [-1.0, 30, 41.5, 360, 755]})
        (plan,) = application.manifest.plans.values()
    assert outputs["serial.2"].tolist() == [159.5, -5.0, 0.75, -20.0, -2.5]
    assert outputs["serial.0"].tolist() == [100, 0, 0, 0, 0]
    assert outputs["serial.1"].tolist() == [0, 1]
    stages = [operator.stage for operator in plan.operators]
    assert stages == ["angle", "part", "whole", "first", "serial", "serial", "serial"]
