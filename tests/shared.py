"""Models, recordings and Runefiles that tests use and the project does not ship."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("RUNE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
"""A folder beside the checkout, or where `RUNE_SHARED` says."""


def shared_path(relative: str) -> Path:
    """The path of a shared file or folder.

    Skips the test where it is absent; with `RUNE_STRICT=1` that is a failure.
    """
    path = SHARED / relative
    if not path.exists():
        missing = f"{path} is missing: set RUNE_SHARED to the folder that holds {relative}"
        if os.environ.get("RUNE_STRICT") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    return path
