"""How long an inference takes, and which stages take it.

Latency is measured around the call of `run`, inside of the process the container runs in.  Times of stages
are estimates: while inferences run one after the other, a thread here looks again and again at the number of
the operator at work, from outside and without stopping it; the shares of what it saw are scaled to the median
latency.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from container.errors import UsageError
from container.manifest import MemoryPlan
from runtime.application import Application
from runtime.progress import IDLE, ON_HOST

DEFAULT_DURATION_S = 2.0
MINIMUM_INFERENCES = 10
SAMPLING_PERIOD_S = 0.000_2
"""On average.  The times between looks are drawn at random: a steady beat would fall in step with the
inferences and see the same operators every time."""


@dataclass(frozen=True)
class StageTime:
    """One stage's part of an inference; an estimate."""

    stage: str
    samples: int
    """How often the stage was seen at work."""
    share: float
    """Of the latency, 0..1."""
    time_us: float
    """That share of the median latency."""


@dataclass(frozen=True)
class OperatorTime:
    """One operator's part of an inference; an estimate."""

    operator: str
    stage: str
    samples: int
    share: float
    time_us: float
    macs: int
    """Multiply-accumulates."""


@dataclass(frozen=True)
class BenchReport:
    """Latency in microseconds, and where it goes."""

    profile: str
    inferences: int
    minimum_us: float
    median_us: float
    p90_us: float
    stages: tuple[StageTime, ...]
    """In the order of the pipeline; `(host)` is the time in `read` and `write`.  Empty where the system does
    not let one process look into another."""
    operators: tuple[OperatorTime, ...]
    """In the order of execution; empty where `stages` are."""
    fuel: int | None
    """WebAssembly operations of the last inference, where they are counted."""


def bench(
    application: Application, samples: Mapping[str, bytes], *, duration_s: float = DEFAULT_DURATION_S
) -> BenchReport:
    """Run inferences on one sample of each capability for about `duration_s`, and at least ten.

    Raises UsageError, TrapError, LimitError.
    """
    if not duration_s > 0:
        raise UsageError(f"the duration is {duration_s:g} s, expected more than 0")
    first = application.infer(samples)
    with _Sampler(application) as sampler:
        latencies_ns = _latencies(application, samples, duration_s)
    latencies_us = sorted(elapsed / 1000 for elapsed in latencies_ns)
    median_us = statistics.median(latencies_us)
    plan = application.manifest.plans[application.profile]
    return BenchReport(
        application.profile.value,
        len(latencies_us),
        latencies_us[0],
        median_us,
        latencies_us[min(len(latencies_us) - 1, len(latencies_us) * 9 // 10)],
        stage_times(plan, sampler.seen, median_us),
        operator_times(plan, sampler.seen, median_us),
        first.fuel,
    )


def stage_times(plan: MemoryPlan, seen: Mapping[int, int], median_us: float) -> tuple[StageTime, ...]:
    """Times of the stages from how often each number was seen in the progress cell."""
    by_stage: Counter[str] = Counter()
    for number, operator in enumerate(plan.operators):
        by_stage[operator.stage] += seen.get(number, 0)
    by_stage["(host)"] = seen.get(ON_HOST, 0)
    total = by_stage.total()
    if not total:
        return ()
    return tuple(
        StageTime(stage, count, count / total, count / total * median_us) for stage, count in by_stage.items()
    )


def operator_times(plan: MemoryPlan, seen: Mapping[int, int], median_us: float) -> tuple[OperatorTime, ...]:
    """The same for each operator; of the time in `read` and `write` none is told."""
    total = seen.get(ON_HOST, 0) + sum(seen.get(number, 0) for number in range(len(plan.operators)))
    if not total:
        return ()
    return tuple(
        OperatorTime(
            operator.name, operator.stage, count, count / total, count / total * median_us, operator.macs
        )
        for count, operator in (
            (seen.get(number, 0), operator) for number, operator in enumerate(plan.operators)
        )
    )


def _latencies(application: Application, samples: Mapping[str, bytes], duration_s: float) -> list[int]:
    latencies_ns: list[int] = []
    end = time.monotonic() + duration_s
    while len(latencies_ns) < MINIMUM_INFERENCES or time.monotonic() < end:
        latencies_ns.append(application.infer(samples).elapsed_ns)
    return latencies_ns


class _Sampler:
    """Counts what stands in the progress cell until it is left."""

    def __init__(self, application: Application) -> None:
        self.seen: Counter[int] = Counter()
        self._application = application
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self) -> None:
        while not self._done.wait(random.expovariate(1 / SAMPLING_PERIOD_S)):
            number = self._application.operator()
            if number is None:
                return
            if number != IDLE:
                self.seen[number] += 1

    def __enter__(self) -> _Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
