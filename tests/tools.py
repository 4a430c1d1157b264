"""Where tests get at programs that do not come with Python."""

from __future__ import annotations

import shutil

import pytest


def needs(program: str) -> str:
    """The path of a program; the test is skipped where it is missing."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"the program {program} is not installed")
    return found
