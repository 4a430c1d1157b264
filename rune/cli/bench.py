"""`rune bench`: the latency of a container on this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rune.cli import console, feeding
from rune.text import table

if TYPE_CHECKING:
    from runtime.bench import BenchReport


@click.command(short_help="Measure the latency of a container and of its stages.")
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
    help="How long to measure.",
)
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
    deadline_s: float,
    as_json: bool,
) -> None:
    """Run inferences one after the other and show how long they take, and which stages take it.

    Where nothing is given to feed the sensors, they get random numbers.

    \b
    rune bench digits.rune
    rune bench digits.rune --image seven.png --profile mcu
    """
    from runtime.application import Application
    from runtime.bench import bench
    from runtime.limits import Limits
    from runtime.sensors.choice import SensorOptions, open_sensors

    fed = sound or image or accel or raw
    options = SensorOptions(random or (() if fed else (0,)), sound, image, accel, raw)
    with Application.load(container, profile=profile, limits=Limits(deadline_s=deadline_s)) as application:
        sources = open_sensors(application.manifest, options)
        samples = {name: source.sample() for name, source in sources.items()}
        report = bench(application, samples, duration_s=duration_s)
    if as_json:
        console.print_json({"file": str(container), **asdict(report)})
    else:
        console.say(_page(report))


def _page(report: BenchReport) -> str:
    summary = table(
        [
            ["profile", report.profile],
            ["inferences", f"{report.inferences:,}"],
            ["fastest", f"{report.minimum_us:,.1f} us"],
            ["median", f"{report.median_us:,.1f} us"],
            ["90th percentile", f"{report.p90_us:,.1f} us"],
        ]
    )
    if not report.stages:
        return summary
    rows = [[stage.stage, f"{stage.time_us:,.1f} us", f"{stage.share:.0%}"] for stage in report.stages]
    return f"{summary}\n\n{table([['stage (sampled)', 'time', 'share'], *rows], right=(1, 2))}"
