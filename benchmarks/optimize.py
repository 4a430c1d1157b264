"""What `rune build --optimize` gives on a board: `python3 tasks.py bench optimize`.

Flash, RAM and instructions of one inference for each choice; other models can be named:
`python3 tasks.py bench optimize MODEL.tflite`.  Prints the table of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks.models import MODELS, ROOT, container_of, model_path
from container.abi import Profile
from container.manifest import Optimization
from container.sections import Container
from devices.aot.build import build_image
from devices.bench import count_instructions
from devices.board import find
from devices.firmware.build import build_agent
from runtime.sensors.choice import SensorOptions, open_sensors

_BOARD = find("mps2-an386")


def usual() -> Iterator[tuple[str, Path]]:
    """The model of an example, and the models that are there."""
    yield "digits", ROOT / "examples" / "digits" / "digits.tflite"
    yield from ((name, model_path(name)) for name in MODELS if model_path(name).exists())


def cells(container: Container, agent_bytes: int) -> list[str]:
    """Code, code with the agent, constants, RAM, instructions."""
    build = build_image(container, _BOARD)
    sources = open_sensors(container.manifest, SensorOptions(random=[0]))
    samples = {name: source.sample() for name, source in sources.items()}
    count = count_instructions(container, _BOARD, samples, deadline_s=60).inference
    code = build.code_bytes
    numbers = (code, code + agent_bytes, build.read_only_bytes, build.ram_bytes, count)
    return [f"{number:,}" for number in numbers]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    named = parser.parse_args().models
    agent_bytes = build_agent(_BOARD).flash_bytes
    print("| model | `--optimize` | code | with the agent | constants | RAM | instructions |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for name, path in ((path.name, path) for path in named) if named else usual():
        for optimization in Optimization:
            container = container_of(path, (Profile.MCU,), optimization=optimization)
            print("| " + " | ".join([name, optimization, *cells(container, agent_bytes)]) + " |", flush=True)


if __name__ == "__main__":
    main()
