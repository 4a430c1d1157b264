"""What every test shares: under `RUNE_STRICT=1` a skipped test, or file of tests, is a failed one."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import TypeVar

import pytest
from hypothesis import settings

# Tests run side by side: threads of a linear algebra library would only get into each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings.register_profile("rune", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("rune")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.fixture(autouse=True, scope="session")
def _cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled modules of the tests go to a folder of the test run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNE_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _strictly((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _strictly((yield))


def _strictly(report: Report) -> Report:
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("RUNE_STRICT") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, which RUNE_STRICT=1 forbids: {report.longrepr}"
    return report
