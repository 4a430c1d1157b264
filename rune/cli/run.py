"""`rune run`: a container on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rune.cli import console, feeding

if TYPE_CHECKING:
    from runtime.application import Application
    from runtime.sensors.choice import SensorOptions


@click.command(short_help="Run a container on this machine.")
@feeding.container_argument
@feeding.sensor_options
@click.option("--repeat", metavar="N", type=click.IntRange(min=1), default=1, help="Run N inferences.")
@feeding.profile_option
@click.option(
    "--tensors",
    metavar="FOLDER",
    type=feeding.FILE,
    default=Path(),
    help="Where TENSOR outputs are written; here by default.",
)
@feeding.deadline_option
@click.option(
    "--metering",
    metavar="N",
    type=click.IntRange(min=1),
    help="Count WebAssembly operations, and end an inference after N; slower.",
)
def command(
    container: Path,
    random: tuple[int, ...],
    sound: tuple[Path, ...],
    image: tuple[Path, ...],
    accel: tuple[Path, ...],
    raw: tuple[Path, ...],
    repeat: int,
    profile: str | None,
    tensors: Path,
    deadline_s: float,
    metering: int | None,
) -> None:
    """Run a container and print one JSON line per inference.

    The k-th file of a kind feeds the capability with `source = k` or else the k-th of that kind; a .npy file
    feeds any.

    \b
    rune run digits.rune --image seven.png
    rune run sine.rune --random 1 --repeat 3
    """
    from runtime.application import Application
    from runtime.limits import Limits

    limits = Limits(deadline_s=deadline_s, fuel=metering)
    with Application.load(container, profile=profile, limits=limits) as application:
        # Imported after the container's process has started, which meanwhile imports wasmtime.
        from runtime.sensors.choice import SensorOptions

        options = SensorOptions(random, sound, image, accel, raw)
        fuel = _run(application, options, repeat, tensors)
    if fuel is not None:
        click.echo(f"metering: {fuel:,} operations in the last inference", err=True)


def _run(application: Application, options: SensorOptions, repeat: int, tensors: Path) -> int | None:
    """Run and print; returns the operations of the last inference, where they are counted."""
    from runtime.outputs import serial, tensor
    from runtime.sensors.choice import open_sensors

    fuel = None
    sources = open_sensors(application.manifest, options)
    for sequence in range(repeat):
        result = application.infer({name: source.sample() for name, source in sources.items()})
        tensor.write_tensors(application.manifest, result.outputs, tensors)
        console.say(serial.line(application.manifest, result.outputs, sequence))
        fuel = result.fuel
    return fuel
