"""The wheel: it holds whatever the packages read when they run."""

from __future__ import annotations

from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
PACKAGES = ("builder", "container", "devices", "rune", "runefile", "runtime")


def test_the_wheel_holds_every_file_of_the_packages() -> None:
    packed = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {"devices/boards/uno.toml", "devices/firmware/core/port.h"} <= files
    assert files - packed == set()
    assert {path.split("/")[0] for path in packed} == set(PACKAGES)
