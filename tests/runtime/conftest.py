"""Compiled modules of the tests go to a folder of the test run."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def _cache_folder(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield
