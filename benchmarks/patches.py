"""What computing the first layers in patches takes and saves: `python3 tasks.py bench patches`.

Each model as it is, with the least work that does with three quarters of the RAM, and with the least RAM;
other models can be named.  Prints the table of docs/board-sizes.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks.models import SHARED, pipeline_of
from builder.build import build_container
from builder.golden import GoldenOptions
from builder.patches import PatchOptions
from container.abi import Profile
from container.errors import BudgetError
from container.sections import Container
from devices.aot.build import build_image
from devices.bench import count_instructions
from devices.board import find
from devices.budget import board_plan
from runtime.sensors.choice import SensorOptions, open_sensors

BOARD = find("mps2-an386")
MODELS = {
    "image classification": "mlperf_tiny/pretrainedResnet_quant.tflite",
    "image classification, wider": "mlperf_tiny/pretrainedResnet_large_int8.tflite",
    "person detection (uint8)": "hotg_rune/person_detection_uint8.tflite",
    "CIFAR-10 (TinyMaix)": "tinymaix/cifar10_q.tflite",
    "keyword spotting": "mlperf_tiny/kws_ref_model.tflite",
    "keyword spotting (MLonMCU)": "mlonmcu/micro_kws_m_quantized.tflite",
    "keyword spotting, CNN": "mlonmcu/cnn_s_quantized.tflite",
}
HEADER = "| model | layers in patches | RAM | | MACs | | instructions | | code |"


def variants(path: Path) -> Iterator[Container]:
    """A model as it is, and in patches: as few as do with three quarters of the RAM, and the least RAM."""
    whole = container_of(path, None)
    yield whole
    three_quarters = whole.manifest.plans[Profile.MCU].ram * 3 // 4
    for options in (PatchOptions(max_ram=three_quarters), PatchOptions()):
        try:
            container = container_of(path, options)
        except BudgetError:
            continue
        if container.manifest.patches is not None:
            yield container


def container_of(path: Path, patches: PatchOptions | None) -> Container:
    golden = GoldenOptions(samples=0)
    data = build_container(pipeline_of(path), profiles=[Profile.MCU], golden=golden, patches=patches)
    return Container.parse(data)


def figures(container: Container) -> tuple[int, int, int, int]:
    """Bytes of RAM of the board, multiply-accumulates, instructions, and bytes of machine code."""
    plan = board_plan(container.manifest)
    need = build_image(container, BOARD).need(BOARD, plan)
    sources = open_sensors(container.manifest, SensorOptions(random=[0]))
    samples = {name: source.sample() for name, source in sources.items()}
    found = count_instructions(container, BOARD, samples, deadline_s=120)
    code = next(part.bytes for part in need.flash.parts if part.name == "code")
    return need.ram.used, sum(operator.macs for operator in plan.operators), found.inference, code


def rows(name: str, path: Path) -> Iterator[str]:
    first: tuple[int, int, int, int] | None = None
    for container in variants(path):
        ram, macs, instructions, code = found = figures(container)
        first = first or found
        ratios = [f"{value / before:.2f}" for value, before in zip(found, first, strict=True)]
        patches = container.manifest.patches
        layers = "" if patches is None else f"{patches.first} to {patches.last} in {patches.count}"
        cells = [name if patches is None else "", layers, f"{ram:,}", ratios[0], f"{macs:,}", ratios[1]]
        yield "| " + " | ".join([*cells, f"{instructions:,}", ratios[2], f"{code:,}"]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    named = {path.stem: path for path in parser.parse_args().models}
    usual = {name: SHARED / "models" / file for name, file in MODELS.items()}
    print(HEADER)
    print("|---|---|" + "---:|" * 7)
    for name, path in (named or usual).items():
        if path.exists():
            for row in rows(name, path):
                print(row, flush=True)


if __name__ == "__main__":
    main()
