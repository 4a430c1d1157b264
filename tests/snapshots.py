"""Golden files: what a user sees, kept in `tests/golden` and compared word by word."""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def assert_snapshot(name: str, text: str) -> None:
    """Compare with the golden file of that name; `RUNE_UPDATE_GOLDEN=1` writes it anew instead."""
    file = GOLDEN / name
    if os.environ.get("RUNE_UPDATE_GOLDEN") == "1":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert file.is_file(), f"no golden file {name}: make it with RUNE_UPDATE_GOLDEN=1 and read it"
    assert text == file.read_text(), f"{name} differs: when that is meant, run with RUNE_UPDATE_GOLDEN=1"
