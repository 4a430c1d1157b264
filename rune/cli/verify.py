"""`rune verify`: the golden vectors of a container, on this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rune.cli import console, feeding

if TYPE_CHECKING:
    from runtime.verify import VerificationReport


@click.command(short_help="Run a container's golden vectors and compare every bit.")
@feeding.container_argument
@feeding.profile_option
@feeding.deadline_option
@console.json_option
def command(container: Path, profile: str | None, deadline_s: float, as_json: bool) -> None:
    """Run the golden vectors sealed in a container, in every profile, and compare the outputs.

    Integers and text must be equal to the last bit, floats within a tolerance; else the exit code is 9.

    \b
    rune verify digits.rune
    """
    from container import sections
    from runtime.limits import Limits
    from runtime.verify import verify

    profiles = (profile,) if profile else ()
    report = verify(sections.load(container), profiles=profiles, limits=Limits(deadline_s=deadline_s))
    if as_json:
        console.print_json({"file": str(container), "ok": not report.differences, **asdict(report)})
    report.check()
    if not as_json:
        console.say(
            f"ok: {report.vectors} golden vector{'s' if report.vectors != 1 else ''} "
            f"of {' and '.join(report.engines)}, "
            f"{report.elements:,} values equal in {' and '.join(report.profiles)}{_tolerance(report)}"
        )


def _tolerance(report: VerificationReport) -> str:
    """What the user must know of floats where they were compared less strictly than usual."""
    from container.manifest import Manifest

    usual = report.float_tolerance <= Manifest.golden_tolerance
    return "" if usual else f" (floats within {report.float_tolerance:.0%} of the largest)"
