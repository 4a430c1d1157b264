"""Where tests get at programs that do not come with Python."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from devices.emulators import bootloaders


def needs(program: str) -> str:
    """The path of a program; the test is skipped where it is missing."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"the program {program} is not installed")
    return found


def needs_simavr() -> None:
    """Skips the test without what an emulated AVR board wants: compilers, headers, bootloaders, avrdude."""
    for program in ("avr-gcc", "gcc", "avrdude"):
        needs(program)
    if not Path("/usr/include/simavr").exists() or not bootloaders.FOLDER.exists():
        pytest.skip("libsimavr-dev or arduino-core-avr is not installed")
