"""What we measure ourselves by, in one table: `python3 tasks.py bench goals > benchmarks/goals.md`.

Ratios are to peers: TensorFlow Lite Micro with CMSIS-NN by the figures beside the checkout (`RUNE_SHARED`),
which do not depend on the machine; on the host LiteRT and LiteRT.js, which run in turn with ours.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import geometric_mean, median

from benchmarks import commands, host_kernels, others
from benchmarks.instructions import count_on
from benchmarks.models import MODELS, container_of, model_path
from container.manifest import Optimization
from container.sections import Container
from devices import board as boards
from devices.aot.build import build_image
from devices.board import Architecture
from devices.firmware.build import build_agent

KEYWORDS = "keyword spotting"
SMALL_CORES = {Architecture.CORTEX_M0: 29.0e6, Architecture.CORTEX_M3: 10.5e6}
"""Instructions of the keyword model by TensorFlow Lite Micro with CMSIS-NN, on cores without a DSP."""
HOST_ROUNDS = 100


@dataclass(frozen=True)
class Measured:
    """One row: what is measured, and the largest value that is good enough."""

    what: str
    value: float
    goal: float
    digits: int = 3

    def cells(self) -> tuple[str, ...]:
        """The row's text."""
        value, goal = (f"{number:,.{self.digits}f}" for number in (self.value, self.goal))
        return self.what, value, goal, "yes" if self.value <= self.goal else "**no**"


def cortex_m4f(found: list[others.Row]) -> Iterator[Measured]:
    """Instructions of the four models on a Cortex-M4F, then those of all others."""
    ratios = {row.model: row.ratio for row in found if row.is_named and row.ratio is not None}
    where = "instructions on a Cortex-M4F to TFLM + CMSIS-NN"
    for name, model in MODELS.items():
        yield Measured(f"{where}: {name}", ratios[model], 0.50 if name == "image classification" else 0.75)
    yield Measured(f"{where}: geometric mean of the four", geometric_mean(ratios.values()), 0.55)
    count = sum(not row.is_named and row.ratio is not None for row in found)
    yield Measured(f"{where}: geometric mean of {count} other models", others.instruction_ratio(found), 0.70)


def small_cores(keywords: Container) -> Iterator[Measured]:
    """Instructions of the keyword model on cores without DSP instructions."""
    for core, peer in SMALL_CORES.items():
        what = f"instructions on a {core.title()} to TFLM + CMSIS-NN: {KEYWORDS}"
        yield Measured(what, count_on(keywords, core) / peer, 0.70)


def flash(keywords: Container) -> Iterator[Measured]:
    """Code in flash, the agent's with it."""
    small = container_of(model_path(KEYWORDS), optimization=Optimization.SIZE)
    for name in ("mps2-an386", "nrf52840"):
        board = boards.find(name)
        agent = build_agent(board).flash_bytes
        for container, option, goal in ((keywords, "", 26_000), (small, ", `--optimize size`", 16_000)):
            code = build_image(container, board).code_bytes
            yield Measured(f"bytes of code and agent on {name}: {KEYWORDS}{option}", code + agent, goal, 0)


def memory(found: list[others.Row]) -> Iterator[Measured]:
    """Linear memory in RAM against the peer's arena."""
    largest, mean = others.memory_ratios(found)
    count = sum(row.peer.is_integer for row in found)
    yield Measured(f"linear memory to TFLM's arena: largest of {count} integer models", largest, 1.00)
    yield Measured("linear memory to TFLM's arena: their mean", mean, 0.85)


def host() -> Iterator[Measured]:
    """Time of an inference on this machine, in proportion to native LiteRT; LiteRT.js sets the goal."""
    for name in list(MODELS)[:3]:
        found = host_kernels.measure(model_path(name), HOST_ROUNDS)
        ours, javascript = found.ratio(), found.javascript_ratio()
        if ours is not None and javascript is not None:
            what = f"time on the host to native LiteRT, LiteRT.js as the goal: {name}"
            yield Measured(what, ours, javascript, 1)


def waiting() -> Iterator[Measured]:
    """Seconds that a user waits, caches warm."""
    goals = {"build kws": 5.0, "run kws": 0.2}
    with tempfile.TemporaryDirectory(prefix="rune-bench-") as folder:
        for name, arguments in commands.commands(Path(folder)):
            if name in goals:
                taken = median(commands.seconds(arguments, 10))
                yield Measured(f"seconds of `rune {name}`, median of 10", taken, goals[name], 2)


def machine() -> str:
    """The processor, by Linux's word, and how many of it."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} x {names[0] if names else platform.machine()}"


def main() -> None:
    keywords = container_of(model_path(KEYWORDS))
    # What depends on the machine first: before it has got warm from counting.
    timed = [*host(), *waiting()]
    found = list(others.rows())
    counted = [*cortex_m4f(found), *small_cores(keywords), *flash(keywords), *memory(found)]
    print("# What we measure ourselves by\n")
    made = f"{datetime.now(UTC).date()}, {machine()}, Python {platform.python_version()}"
    print(f"`python3 tasks.py bench goals`, {made}.")
    print("Instructions and bytes are the same on every machine.\n")
    print("| what | measured | goal | met |\n|---|---:|---:|---|")
    for row in (*counted, *timed):
        print("| " + " | ".join(row.cells()) + " |")


if __name__ == "__main__":
    main()
