"""`rune check`: whether a Runefile is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from container.errors import ExitCode
from rune.cli import console, feeding

if TYPE_CHECKING:
    from runefile.check import CheckResult


@click.command(short_help="Check a Runefile; nothing is built.")
@feeding.runefile_argument
@console.json_option
def command(runefile: Path, as_json: bool) -> int:
    """Check a Runefile and infer every type along its pipeline; nothing is built.

    RUNEFILE is a file, or a folder that holds one; the working directory by default.

    \b
    rune check examples/digits
    """
    from rune import api

    result = api.diagnose(runefile)
    if as_json:
        console.print_json(_facts(result))
        return ExitCode.OK if result.pipeline else result.error().exit_code
    pipeline = console.checked(result)
    console.say(f"{result.source.name}: ok, {len(pipeline.stages)} stages")
    return ExitCode.OK


def _facts(result: CheckResult) -> dict[str, Any]:
    from container import codec

    stages = result.pipeline.stages if result.pipeline else ()
    return {
        "file": result.source.name,
        "ok": result.pipeline is not None,
        "diagnostics": [diagnostic.to_json(result.source) for diagnostic in result.diagnostics],
        "stages": [json.loads(codec.encode(stage)) for stage in stages],
    }
