"""What every test shares: under `RUNE_STRICT=1` a skipped test, or file of tests, is a failed one."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import settings

settings.register_profile("rune", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("rune")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


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
