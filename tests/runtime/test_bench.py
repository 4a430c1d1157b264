"""Latency, and the stages it is made of."""

from __future__ import annotations

import pytest

from container.errors import UsageError
from runtime.application import Application
from runtime.bench import bench, stage_times
from runtime.progress import IDLE, ON_HOST
from tests.runtime import guests

PLAN = guests.manifest().plans


def count_to(number: int) -> str:
    # Without the store the compiler would see that nobody looks at the progress cell, and not set it twice.
    return f"""
        (local.set $n (i32.const {number}))
        (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.store (i32.const 64) (local.get $n))"""


def test_shares() -> None:
    (plan,) = PLAN.values()
    times = stage_times(plan, {0: 1, 1: 2, ON_HOST: 1, 99: 5, IDLE: 7}, 100.0)
    assert [(found.stage, found.samples, found.share, found.time_us) for found in times] == [
        ("features", 1, 0.25, 25.0),
        ("serial", 2, 0.5, 50.0),
        ("(host)", 1, 0.25, 25.0),
    ]


def test_nothing_seen() -> None:
    (plan,) = PLAN.values()
    assert stage_times(plan, {}, 100.0) == ()


def test_a_stage_that_works_nine_times_longer_is_seen_to() -> None:
    """The first stage counts to a tenth of what the second counts to."""
    body = f"""
        (drop (call $read (i32.const 0) (i32.const 16) (i32.const 4)))
        (i32.store (i32.const 0) (i32.const 0)) {count_to(200_000)}
        (i32.store (i32.const 0) (i32.const 1)) {count_to(1_800_000)}
        (drop (call $write (i32.const 0) (i32.const 16) (i32.const 4)))
        (i32.const 0)"""
    text = (
        f'(module {guests.IMPORTS} {guests.MEMORY} (func (export "run") (result i32) (local $n i32) {body}))'
    )
    with Application(guests.container(guests.assemble(text))) as application:
        report = bench(application, {"features": b"1234"}, duration_s=0.4)
    share = {stage.stage: stage.share for stage in report.stages}
    assert 0.8 < share["serial"] < 0.97
    assert 0.03 < share["features"] < 0.2
    assert 0 < report.minimum_us <= report.median_us <= report.p90_us
    assert report.inferences >= 10


def test_a_duration_of_nothing() -> None:
    with Application(guests.echo()) as application, pytest.raises(UsageError, match="expected more than 0"):
        bench(application, {"features": b"1234"}, duration_s=0)
