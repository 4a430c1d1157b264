"""`rune build`: from a Runefile to a container."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from container.abi import Profile
from rune.cli import console, feeding
from rune.text import size


@click.command(short_help="Compile a Runefile into a container.")
@feeding.runefile_argument
@click.option(
    "-o",
    "--output",
    metavar="OUT.rune",
    type=feeding.FILE,
    help="The container; named as the Runefile's folder by default.",
)
@click.option(
    "--profile",
    "profiles",
    type=click.Choice([profile.value for profile in Profile]),
    multiple=True,
    help="Build this profile; repeat it for several. Both by default.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show each phase and the time it takes.")
@console.json_option
def command(
    runefile: Path, output: Path | None, profiles: tuple[str, ...], verbose: bool, as_json: bool
) -> None:
    """Check a Runefile, compile it for every profile and seal one container.

    RUNEFILE is a file, or a folder that holds one; the working directory by default.

    \b
    rune build examples/digits
    rune build examples/sine/int8.Runefile -o sine.rune --profile mcu
    """
    from rune import api

    path = api.locate(runefile)
    with console.Phases(shown=verbose or sys.stderr.isatty()) as phases:
        phases("check")
        pipeline = console.checked(api.diagnose(path))
        built = api.build_pipeline(
            pipeline,
            output or api.default_output(path),
            profiles=profiles or api.PROFILES,
            progress=phases,
        )
    if as_json:
        console.print_json({"file": str(built), "bytes": built.stat().st_size, "seconds": phases.seconds})
    elif verbose or sys.stderr.isatty():
        click.echo(f"{built}: {size(built.stat().st_size)}, {sum(phases.seconds.values()):.1f} s", err=True)
