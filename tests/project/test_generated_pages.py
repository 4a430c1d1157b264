"""The pages that are made from code are those the code makes now."""

from __future__ import annotations

import pytest

from docs.generate import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_page_is_fresh(name: str) -> None:
    stale = f"docs/{name} is stale: run `python3 tasks.py docs`"
    assert (FOLDER / name).read_text() == PAGES[name](), stale
