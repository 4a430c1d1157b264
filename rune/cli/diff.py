"""`rune diff`: the first layer of a model that differs from a reference."""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from container.abi import Profile
from rune.cli import console, feeding
from rune.text import table

if TYPE_CHECKING:
    from rune.diff import DiffReport, Row

WIDEST_NAME = 40
"""Columns for the name of a tensor; of longer ones the end is shown, which tells more."""


@click.command(short_help="Find the first layer of a model that differs from a reference.")
@click.argument("model", metavar="MODEL", type=feeding.FILE)
@click.option(
    "--inputs",
    metavar="X.npz",
    type=feeding.FILE,
    required=True,
    help="An array for each input of the model: in0, in1... or by name.",
)
@click.option(
    "--layers", metavar="Y.npz", type=feeding.FILE, help="Recorded tensors, instead of an engine's."
)
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which sample, where the arrays of X.npz hold several.",
)
@click.option(
    "--profile",
    type=click.Choice([profile.value for profile in Profile]),
    default=Profile.SIMD.value,
    show_default=True,
    help="Which kernels to compare.",
)
@feeding.deadline_option
@console.json_option
def command(
    model: Path,
    inputs: Path,
    layers: Path | None,
    sample: int,
    profile: str,
    deadline_s: float,
    as_json: bool,
) -> None:
    """Compile a model, run it, and compare every tensor that it computes with a reference.

    The reference is an engine (tflite-micro or onnxruntime, where installed), or recorded tensors: a .npz
    file with arrays named NODE|OPERATOR|TENSOR or by tensor. Integers must be equal to the last bit, floats
    within a tolerance; else the exit code is 9.

    \b
    rune diff kws.tflite --inputs samples.npz
    rune diff kws.tflite --inputs samples.npz --layers kws.layers.npz --profile mcu
    """
    from rune.diff import diff
    from runtime.limits import Limits

    with console.Phases(shown=sys.stderr.isatty()) as phases:
        report = diff(
            model,
            inputs,
            layers=layers,
            profile=profile,
            sample=sample,
            limits=Limits(deadline_s=deadline_s),
            progress=phases,
        )
    if as_json:
        console.print_json({"file": str(model), "ok": report.first is None, **_facts(report)})
    else:
        console.say(_page(report))
    report.check()
    if not as_json:
        values = sum(row.elements for row in report.rows)
        console.say(f"ok: {values:,} values of {len(report.rows)} tensors equal those of {report.reference}")


def _facts(report: DiffReport) -> dict[str, Any]:
    """JSON knows no infinity: such a difference is null."""
    rows = [asdict(row) for row in report.rows]
    for row in rows:
        row["maximum"] = row["maximum"] if math.isfinite(row["maximum"]) else None
    return {**asdict(report), "rows": rows}


def _page(report: DiffReport) -> str:
    header = ["node", "operator", "tensor", "type", "differ", "of", "max difference", "first at"]
    page = table([header, *(_line(row) for row in report.rows)], right=(0, 4, 5, 6))
    if report.missing:
        tensors = "1 tensor is" if report.missing == 1 else f"{report.missing} tensors are"
        page += f"\n{tensors} not compared: {report.reference} does not have all values"
    return page


def _line(row: Row) -> list[str]:
    name = row.tensor if len(row.tensor) <= WIDEST_NAME else f"...{row.tensor[3 - WIDEST_NAME :]}"
    counts = [f"{row.differing:,}", f"{row.elements:,}", f"{row.maximum:.6g}"]
    return [str(row.node), row.operator, name, row.dtype, *counts, str(list(row.index)) if row.index else ""]
