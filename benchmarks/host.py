"""Latency of the examples on this machine, in both profiles: `python3 tasks.py bench`.

Further containers can be named: `python3 tasks.py bench kws.rune`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import rune
from rune.text import size, table
from runtime.bench import bench
from runtime.sensors.choice import SensorOptions, open_sensors

EXAMPLES = Path(__file__).parents[1] / "examples"
RUNEFILES = ("sine/Runefile", "sine/int8.Runefile", "digits/Runefile")


def measure(container: Path, name: str) -> list[list[str]]:
    """A row for each profile of a container."""
    rows = []
    for profile in rune.Profile:
        with rune.load(container, profile=profile) as application:
            sources = open_sensors(application.manifest, SensorOptions(random=[0]))
            samples = {stage: source.sample() for stage, source in sources.items()}
            report = bench(application, samples)
            plan = application.manifest.plans[profile]
        rows.append(
            [
                name,
                report.profile,
                f"{report.minimum_us:,.1f}",
                f"{report.median_us:,.1f}",
                size(plan.read_only),
                size(plan.arena),
            ]
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("containers", nargs="*", type=Path)
    named = parser.parse_args().containers
    rows = [["container", "profile", "fastest us", "median us", "weights", "activations"]]
    with tempfile.TemporaryDirectory() as folder:
        for runefile in () if named else RUNEFILES:
            rows += measure(rune.build(EXAMPLES / runefile, Path(folder) / "built.rune"), runefile)
    for container in named:
        rows += measure(container, container.name)
    print(table(rows, right=(2, 3, 4, 5)))


if __name__ == "__main__":
    main()
