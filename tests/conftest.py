"""What every test shares: under `RUNE_STRICT=1` a skipped test is a failed one."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

settings.register_profile("rune", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("rune")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("RUNE_STRICT") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, which RUNE_STRICT=1 forbids: {report.longrepr}"
    return report
