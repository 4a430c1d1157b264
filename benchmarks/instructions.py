"""Instructions of an inference on emulated boards that count them: `python3 tasks.py bench instructions`.

The examples, and the models beside the checkout where they are (`RUNE_SHARED`); others can be named:
`python3 tasks.py bench instructions APP.rune`.  Prints the table of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import rune
from benchmarks.models import MODELS, ROOT, container_of, model_path
from container.abi import Profile
from container.errors import BudgetError
from container.sections import Container, load
from devices.bench import count_instructions
from devices.board import Architecture, Board, boards, find
from devices.counting.run import can_count
from runtime.sensors.choice import SensorOptions, open_sensors

EXAMPLES = {"sine": "sine/Runefile", "sine, 8 bits": "sine/int8.Runefile", "digits": "digits/Runefile"}


def usual() -> Iterator[tuple[str, Container]]:
    """The examples, and the models that are there."""
    with tempfile.TemporaryDirectory() as folder:
        for name, runefile in EXAMPLES.items():
            built = rune.build(ROOT / "examples" / runefile, Path(folder) / "app.rune", golden_samples=0)
            yield name, load(built)
    for name in MODELS:
        if model_path(name).exists():
            yield name, container_of(model_path(name))


def count_on(container: Container, core: Architecture) -> int:
    """Instructions of an inference in the code for another Cortex-M, counted on the mps2-an386.

    Its core has every instruction of smaller ones, and an instruction is one wherever it runs.
    """
    board = find("mps2-an386")
    board = replace(board, cpu=replace(board.cpu, architecture=core))
    return count_instructions(container, board, _samples(container), deadline_s=60).inference


def _samples(container: Container) -> dict[str, bytes]:
    """Random ones, the same every time."""
    sources = open_sensors(container.manifest, SensorOptions(random=[0]))
    return {name: source.sample() for name, source in sources.items()}


def cells(container: Container, board: Board) -> list[str]:
    """Instructions, and how many for each multiply-accumulate."""
    try:
        found = count_instructions(container, board, _samples(container), deadline_s=60)
    except BudgetError:
        return ["does not fit", ""]
    macs = sum(stage.macs for stage in found.stages)
    return [f"{found.inference:,}", f"{found.inference / macs:.2f}" if macs else ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("containers", nargs="*", type=Path)
    named = parser.parse_args().containers
    counting = [board for board in boards() if can_count(board)]
    titles = [f"{board.name} ({board.cpu.architecture})" for board in counting]
    print("| container | MACs | " + " | ".join(f"{title} | per MAC" for title in titles) + " |")
    print("|---|" + "---:|" * (1 + 2 * len(counting)))
    for name, container in ((path.name, load(path)) for path in named) if named else usual():
        plan = container.manifest.plans[Profile.MCU]
        row = [name, f"{sum(operator.macs for operator in plan.operators):,}"]
        row += [cell for board in counting for cell in cells(container, board)]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
