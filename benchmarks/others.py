"""Models beside the four that are tuned for, on a Cortex-M4F: `python3 tasks.py bench others`.

Instructions of one inference in the emulated mps2-an386, board image and sandbox as `rune flash` sends them,
beside TensorFlow Lite Micro with CMSIS-NN; and of integer models the linear memory beside its arena.  Both of
TensorFlow Lite Micro are read from `baselines/tflm-cortex-m4.csv` beside the checkout (`RUNE_SHARED`).
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, geometric_mean

from benchmarks.models import MODELS, SHARED, container_of
from devices.aot.build import build_image
from devices.bench import count_instructions
from devices.board import Board, Region, find
from rune.text import table
from runtime.sensors.choice import SensorOptions, open_sensors

BASELINES = SHARED / "baselines" / "tflm-cortex-m4.csv"
MANIFEST = SHARED / "models" / "MANIFEST.csv"
"""Tells the dtype of each model."""
LEAST_PEER = 0.05e6
"""The peer's numbers have two digits after the point, in millions: below it they are mostly rounding."""
DEADLINE_S = 120.0
HEADINGS = (
    "model",
    "MACs",
    "instructions",
    "per MAC",
    "peer",
    "ratio",
    "code",
    "linear memory",
    "arena",
    "ratio",
)


@dataclass(frozen=True)
class Peer:
    """What TensorFlow Lite Micro takes of a model."""

    model: str
    instructions: float
    """With the CMSIS-NN kernels; to 10,000."""
    arena: int
    """Bytes, with the reference kernels."""
    is_integer: bool
    """Whether the model computes with integers."""


@dataclass(frozen=True)
class Row:
    """One model; sizes in bytes."""

    model: str
    macs: int
    instructions: int
    code: int
    linear: int
    """Linear memory in RAM."""
    peer: Peer

    @property
    def is_named(self) -> bool:
        return self.model in MODELS.values()

    @property
    def ratio(self) -> float | None:
        """Of instructions to the peer's; None where the peer's are too few to compare."""
        return self.instructions / self.peer.instructions if self.peer.instructions >= LEAST_PEER else None

    @property
    def memory_ratio(self) -> float:
        return self.linear / self.peer.arena


def peers() -> list[Peer]:
    """All models of the baselines; none where the file is missing."""
    if not (BASELINES.exists() and MANIFEST.exists()):
        return []
    dtypes = {row["file"]: row["dtype"] for row in _records(MANIFEST)}
    return [
        Peer(
            model=row["model"],
            instructions=float(row["minsn_cmsis"]) * 1e6,
            arena=int(row["arena_ref_bytes"]),
            is_integer=not dtypes[row["model"]].startswith("float"),
        )
        for row in _records(BASELINES)
    ]


def _records(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def roomy_board() -> Board:
    """The mps2-an386 with as much of its memory in the first slot as leaves some for the sample."""
    board = find("mps2-an386")
    first, second = board.flash.slots
    slots = (Region(first.start, second.end - first.start), Region(second.end, second.size))
    return replace(board, flash=replace(board.flash, slots=slots))


def measure(peer: Peer) -> Row:
    """Builds a model and runs it once, on a random sample."""
    container, board = container_of(SHARED / "models" / peer.model), roomy_board()
    sources = open_sensors(container.manifest, SensorOptions(random=[0]))
    samples = {name: source.sample() for name, source in sources.items()}
    found = count_instructions(container, board, samples, deadline_s=DEADLINE_S)
    build = build_image(container, board)
    return Row(
        model=peer.model,
        macs=sum(stage.macs for stage in found.stages),
        instructions=found.inference,
        code=build.code_bytes,
        linear=build.linear_bytes,
        peer=peer,
    )


def rows(words: Sequence[str] = ()) -> Iterator[Row]:
    """Every model of the baselines that is there; or those whose path has one of `words`."""
    for peer in peers():
        wanted = not words or any(word in peer.model for word in words)
        if wanted and (SHARED / "models" / peer.model).exists():
            yield measure(peer)


def instruction_ratio(found: Sequence[Row]) -> float:
    """Geometric mean over the models that are not named; NaN where there are none."""
    ratios = [row.ratio for row in found if not row.is_named and row.ratio is not None]
    return geometric_mean(ratios) if ratios else math.nan


def memory_ratios(found: Sequence[Row]) -> tuple[float, float]:
    """The largest and the mean over all integer models, the named ones included."""
    ratios = [row.memory_ratio for row in found if row.peer.is_integer]
    return (max(ratios), fmean(ratios)) if ratios else (math.nan, math.nan)


def cells(row: Row) -> list[str]:
    return [
        row.model + (" (named)" if row.is_named else ""),
        f"{row.macs:,}",
        f"{row.instructions:,}",
        f"{row.instructions / row.macs:.2f}" if row.macs else "",
        f"{row.peer.instructions:,.0f}",
        "" if row.ratio is None else f"{row.ratio:.3f}",
        f"{row.code:,}",
        f"{row.linear:,}",
        f"{row.peer.arena:,}",
        f"{row.memory_ratio:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="*", help="only models with one of these in their path")
    found = []
    for row in rows(parser.parse_args().words):
        print(f"{row.model}: {row.instructions:,}", file=sys.stderr)
        found.append(row)
    if not found:
        raise SystemExit(
            f"no model of {BASELINES} is there; RUNE_SHARED names the folder of baselines/ and models/"
        )
    print(table([list(HEADINGS), *map(cells, found)], right=range(1, len(HEADINGS))))
    largest, mean = memory_ratios(found)
    print(f"\ninstructions, geometric mean of models that are not named: {instruction_ratio(found):.3f}")
    print(f"linear memory, integer models: at most {largest:.2f}, mean {mean:.2f}")


if __name__ == "__main__":
    main()
