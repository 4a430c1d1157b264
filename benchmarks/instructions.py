"""Instructions of an inference on emulated boards that count them: `python3 tasks.py bench instructions`.

The examples, and the models beside the checkout where they are (`RUNE_SHARED`); others can be named:
`python3 tasks.py bench instructions APP.rune`.  Prints the table of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import rune
from builder.build import build_container
from builder.importers import detect_format
from builder.layers import pipeline_of_model
from container.abi import Profile
from container.errors import BudgetError
from container.sections import Container, load
from devices.bench import count_instructions
from devices.board import Board, boards
from devices.counting.run import can_count
from runefile.pipeline import ModelFile
from runtime.sensors.choice import SensorOptions, open_sensors

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("RUNE_SHARED", ROOT.parent / "shared"))
EXAMPLES = {"sine": "sine/Runefile", "sine, 8 bits": "sine/int8.Runefile", "digits": "digits/Runefile"}
MODELS = {
    "keyword spotting": "mlperf_tiny/kws_ref_model.tflite",
    "image classification": "mlperf_tiny/pretrainedResnet_quant.tflite",
    "anomaly detection": "mlperf_tiny/ad01_int8.tflite",
    "micro_speech": "tflite_micro/micro_speech_quantized.tflite",
}


def usual() -> Iterator[tuple[str, Container]]:
    """The examples, and the models that are there."""
    with tempfile.TemporaryDirectory() as folder:
        for name, runefile in EXAMPLES.items():
            built = rune.build(ROOT / "examples" / runefile, Path(folder) / "app.rune", golden_samples=0)
            yield name, load(built)
    for name, file in MODELS.items():
        if (SHARED / "models" / file).exists():
            data = (SHARED / "models" / file).read_bytes()
            pipeline = pipeline_of_model(ModelFile(Path(file).name, data, detect_format(data, file)))
            yield name, Container.parse(build_container(pipeline, profiles=[Profile.MCU]))


def cells(container: Container, board: Board) -> list[str]:
    """Instructions, and how many for each multiply-accumulate."""
    sources = open_sensors(container.manifest, SensorOptions(random=[0]))
    samples = {name: source.sample() for name, source in sources.items()}
    try:
        found = count_instructions(container, board, samples, deadline_s=60)
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
