"""`rune bench`: the latency of a container on this machine, or what it costs a board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from container.abi import Profile
from rune.cli import console, feeding

if TYPE_CHECKING:
    from container.sections import Container
    from devices.bench import BoardBench
    from devices.board import Board
    from rune.pictures.characters import Characters
    from runtime.bench import BenchReport
    from runtime.sensors.choice import SensorOptions


@click.command(short_help="Measure the latency of a container, or its instructions on a board.")
@feeding.container_argument
@feeding.sensor_options
@feeding.profile_option
@click.option(
    "--duration",
    "duration_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True, max=3600),
    default=2.0,
    show_default=True,
    help="How long to measure on this machine.",
)
@feeding.board_option("On an emulated board of this kind; with --port, the board there is one.")
@click.option(
    "--port", metavar="PORT", help="Cycles of the board at this serial port, which holds it already."
)
@click.option("--ops", "operators", is_flag=True, help="Show each operator, beside its multiply-accumulates.")
@feeding.svg_option("Write the operators as a bar chart to a file; measures them as --ops does.")
@feeding.deadline_option
@console.json_option
def command(
    container: Path,
    random: tuple[int, ...],
    sound: tuple[Path, ...],
    image: tuple[Path, ...],
    accel: tuple[Path, ...],
    raw: tuple[Path, ...],
    profile: str | None,
    duration_s: float,
    board: Board | None,
    port: str | None,
    operators: bool,
    svg: Path | None,
    deadline_s: float,
    as_json: bool,
) -> None:
    """Show how long inferences take, and which stages take it; or what one takes on a board.

    On an emulated board: its instructions, counted one by one and the same each time. Where an emulator
    does not count, and on a real board: cycles. Where nothing is given to feed the sensors, they get random
    numbers.

    \b
    rune bench digits.rune
    rune bench digits.rune --image seven.png --profile mcu
    rune bench digits.rune --board mps2-an386 --ops --svg digits.svg
    rune bench digits.rune --port /dev/ttyACM0
    """
    from rune import costs
    from runtime.sensors.choice import SensorOptions

    fed = sound or image or accel or raw
    options = SensorOptions(random or (() if fed else (0,)), sound, image, accel, raw)
    operators = operators or svg is not None
    if board is None and port is None:
        name, on_host = _on_host(container, options, profile, duration_s, operators, deadline_s)
        page = partial(costs.host_page, on_host)
        _tell(container, on_host, page, partial(costs.host_chart, on_host, name), svg, as_json)
    else:
        name, on_board = _on_board(container, options, profile, board, port, operators, deadline_s)
        page = partial(costs.board_page, on_board)
        _tell(container, on_board, page, partial(costs.board_chart, on_board, name), svg, as_json)


def _tell(
    container: Path,
    report: BenchReport | BoardBench,
    page: Callable[[Characters], str],
    chart: Callable[[], bytes],
    svg: Path | None,
    as_json: bool,
) -> None:
    from container.files import write_atomically

    if as_json:
        console.print_json({"file": str(container), **asdict(report)})
    else:
        console.say(page(console.characters()))
    if svg is not None:
        write_atomically(svg, chart())


def _on_host(
    container: Path,
    options: SensorOptions,
    profile: str | None,
    duration_s: float,
    operators: bool,
    deadline_s: float,
) -> tuple[str, BenchReport]:
    """The name of the container, and what was measured."""
    from runtime.application import Application
    from runtime.bench import bench
    from runtime.limits import Limits
    from runtime.sensors.choice import open_sensors

    with Application.load(container, profile=profile, limits=Limits(deadline_s=deadline_s)) as application:
        sources = open_sensors(application.manifest, options)
        samples = {name: source.sample() for name, source in sources.items()}
        report = bench(application, samples, duration_s=duration_s)
    return application.manifest.name, report if operators else replace(report, operators=())


def _on_board(
    container: Path,
    options: SensorOptions,
    profile: str | None,
    board: Board | None,
    port: str | None,
    operators: bool,
    deadline_s: float,
) -> tuple[str, BoardBench]:
    """The name of the container, and what was measured."""
    from container import sections
    from container.errors import UsageError
    from devices.bench import count_instructions
    from devices.counting.run import can_count
    from runtime.limits import Limits
    from runtime.sensors.choice import open_sensors

    if profile not in (None, Profile.MCU):
        raise UsageError("boards run the profile `mcu`", hint="leave --profile out")
    Limits(deadline_s=deadline_s).check()
    app = sections.load(container)
    sources = open_sensors(app.manifest, options)
    samples = {name: source.sample() for name, source in sources.items()}
    if board is not None and port is None and can_count(board):
        report = count_instructions(app, board, samples, operators=operators, deadline_s=deadline_s)
        return app.manifest.name, report
    if operators:
        raise UsageError(
            "cycles are told by stage alone",
            hint="count the instructions of operators on an emulated board: --board mps2-an386",
        )
    return app.manifest.name, _cycles(app, board, port, samples, deadline_s)


def _cycles(
    app: Container, board: Board | None, port: str | None, samples: dict[str, bytes], deadline_s: float
) -> BoardBench:
    """On the board at a port, or on an emulated one, which is new and gets the container first."""
    from devices.bench import measure_cycles
    from devices.connection import SIM, Place, board_application
    from rune.cli.flash import flash

    with Place(Path(), board=board, port=port or SIM, fresh=port is None) as place:
        if port is None:
            flash(app, place)
        with board_application(app, place, deadline_s=deadline_s) as application:
            return measure_cycles(application, samples)
