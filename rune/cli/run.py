"""`rune run`: a container on this machine, or on a board that this machine feeds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from container.abi import Profile
from rune.cli import console, feeding

if TYPE_CHECKING:
    from container.execution import Executor
    from devices.board import Board
    from runtime.application import Application
    from runtime.limits import Limits
    from runtime.sensors.choice import SensorOptions


@click.command(short_help="Run a container on this machine, or on a board.")
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
@click.option(
    "--port", metavar="PORT", help="Run it on the board at this serial port; `sim`: an emulated one."
)
@feeding.board_option("Run it on the board of this kind that was flashed last, or is at the port.")
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
    board: Board | None,
    port: str | None,
) -> None:
    """Run a container and print one JSON line per inference.

    The k-th file of a kind feeds the capability with `source = k` or else the k-th of that kind; a .npy file
    feeds any. With --port or --board a board runs it, after `rune flash`, and is fed the same.

    \b
    rune run digits.rune --image seven.png
    rune run sine.rune --random 1 --repeat 3
    rune run digits.rune --image seven.png --port /dev/ttyACM0
    """
    from runtime.limits import Limits

    limits = Limits(deadline_s=deadline_s, fuel=metering)
    given = (random, sound, image, accel, raw)
    with _executor(container, profile, limits, board, port, given) as executor:
        from runtime.sensors.choice import SensorOptions

        fuel = _run(executor, SensorOptions(*given), repeat, tensors)
    if fuel is not None:
        click.echo(f"metering: {fuel:,} operations in the last inference", err=True)


@contextmanager
def _executor(
    container: Path,
    profile: str | None,
    limits: Limits,
    board: Board | None,
    port: str | None,
    given: tuple[Any, ...],
) -> Iterator[Executor]:
    """This machine or a board; `given` are the sensor options."""
    if board is None and port is None:
        with _application(container, profile, limits, given) as application:
            yield application
        return
    from container.errors import UsageError
    from container.sections import load
    from devices.connection import Place, board_application

    if profile not in (None, Profile.MCU) or limits.fuel is not None:
        raise UsageError("boards run the profile `mcu`, and do not meter", hint="leave the option out")
    limits.check()
    with (
        Place(Path(), board=board, port=port) as place,
        board_application(load(container), place, deadline_s=limits.deadline_s) as application,
    ):
        yield application


def _application(container: Path, profile: str | None, limits: Limits, given: tuple[Any, ...]) -> Application:
    """The container in its process, which is started first: it has imports of its own to make."""
    from runtime.process import Worker

    worker = Worker(limits)
    try:
        from runtime.application import Application
        from runtime.sensors.choice import SensorOptions, import_readers

        import_readers(SensorOptions(*given))
    except BaseException:
        worker.close()
        raise
    return Application.load(container, profile=profile, limits=limits, worker=worker)


def _run(executor: Executor, options: SensorOptions, repeat: int, tensors: Path) -> int | None:
    """Run and print; returns the operations of the last inference, where they are counted."""
    from runtime.outputs import serial, tensor
    from runtime.sensors.choice import open_sensors

    fuel = None
    manifest = executor.manifest
    sources = open_sensors(manifest, options)
    for sequence in range(repeat):
        result = executor.infer({name: source.sample() for name, source in sources.items()})
        tensor.write_tensors(manifest, result.outputs, tensors)
        console.say(serial.line(manifest, result.outputs, sequence))
        fuel = result.fuel
    return fuel
