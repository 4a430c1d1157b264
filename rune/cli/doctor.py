"""`rune doctor`: whether the tools are in place."""

from __future__ import annotations

from dataclasses import asdict

import click

from container.errors import ExitCode
from rune import doctor
from rune.cli import console
from rune.text import table


@click.command(short_help="Check the tools that Rune uses.")
@console.json_option
def command(as_json: bool) -> int:
    """Check the tools that Rune uses: one line each, ok or the fix.

    Ends with exit code 1 when one is missing that Rune cannot do without.
    """

    findings = doctor.examine()
    if as_json:
        console.print_json({"tools": [{**asdict(finding), "ok": finding.ok} for finding in findings]})
    else:
        console.say(table([_line(finding) for finding in findings]))
    broken = any(finding.required and not finding.ok for finding in findings)
    return ExitCode.FAILED if broken else ExitCode.OK


def _line(finding: doctor.Finding) -> list[str]:
    if finding.ok:
        return ["ok", finding.name, f"{finding.found}: {finding.purpose}"]
    mark = "missing" if finding.required else "optional"
    return [mark, finding.name, f"not found: {finding.purpose}; fix: {finding.fix}"]
