"""`rune build`: from a Runefile to a container."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from container.abi import Profile
from container.errors import UsageError
from rune import api
from rune.cli import console, feeding
from rune.text import patches_line, size

if TYPE_CHECKING:
    from builder.patches import Patching
    from builder.shrinking import Removed
    from devices.board import Board


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
@feeding.optimize_option
@click.option(
    "--blockings",
    metavar="FILE.json",
    type=feeding.FILE,
    help="Compute the blocks on boards that `rune tune` found.",
)
@feeding.board_option("Fail when this board has no room for the container.")
@click.option(
    "--golden", metavar="FILE.npz", type=feeding.FILE, help="Seal golden vectors of these inputs too."
)
@click.option(
    "--golden-samples",
    metavar="N",
    type=click.IntRange(min=0, max=1000),
    default=api.GOLDEN_SAMPLES,
    show_default=True,
    help="Seal golden vectors of N random inputs.",
)
@click.option(
    "--patches",
    metavar="N|auto",
    type=feeding.PATCHES,
    help="Compute the first layers in N patches, for boards with little RAM; auto: for the least RAM.",
)
@click.option(
    "--max-ram",
    metavar="BYTES",
    type=click.IntRange(min=1),
    help="Compute the first layers in patches where the container needs more RAM otherwise.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show each phase, and what each graph pass removes.")
@console.json_option
def command(
    runefile: Path,
    output: Path | None,
    profiles: tuple[str, ...],
    optimize: str,
    blockings: Path | None,
    board: Board | None,
    golden: Path | None,
    golden_samples: int,
    patches: api.Patches | None,
    max_ram: int | None,
    verbose: bool,
    as_json: bool,
) -> None:
    """Check a Runefile, compile it for every profile and seal one container.

    RUNEFILE is a file, or a folder that holds one; the working directory by default.

    \b
    rune build examples/digits
    rune build examples/sine/int8.Runefile -o sine.rune --profile mcu
    rune build examples/digits --board uno --optimize size
    rune build examples/digits --max-ram 1200
    """
    if board is not None and profiles and Profile.MCU not in profiles:
        raise UsageError(f"--board {board.name}: boards run the profile `mcu`", hint="add --profile mcu")
    path = api.locate(runefile)
    warnings: list[str] = []
    removals: list[Removed] = []
    patchings: list[Patching] = []
    with console.Phases(shown=verbose or sys.stderr.isatty()) as phases:
        phases("check")
        pipeline = console.checked(api.diagnose(path))
        built = api.build_pipeline(
            pipeline,
            output or api.default_output(path),
            profiles=profiles or api.PROFILES,
            optimize=optimize,
            blockings=blockings,
            golden=golden,
            golden_samples=golden_samples,
            patches=patches,
            max_ram=max_ram,
            progress=phases,
            warn=warnings.append,
            removed=removals.append,
            patched=patchings.append,
        )
        if board is not None:
            phases(f"fit {board.name}")
            _check_fits(built, board)
    if verbose:
        for removal in removals:
            click.echo(_line(removal), err=True)
        for patching in patchings:
            click.echo(_patches(patching), err=True)
    for warning in warnings:
        console.print_warning(warning)
    if as_json:
        console.print_json(
            {
                "file": str(built),
                "bytes": built.stat().st_size,
                "seconds": phases.seconds,
                "warnings": warnings,
                "removed": [asdict(removal) for removal in removals],
                "patches": _patch_facts(patchings[0]) if patchings else None,
            }
        )
    elif verbose or sys.stderr.isatty():
        click.echo(f"{built}: {size(built.stat().st_size)}, {sum(phases.seconds.values()):.1f} s", err=True)


def _check_fits(file: Path, board: Board) -> None:
    """Raises BudgetError; the container stays, since others may have room for it."""
    from container.sections import load
    from devices.size import fit

    fit(load(file), board)


def _line(removal: Removed) -> str:
    """`remove_dead_channels: 0 operations, 1,024 multiply-accumulates and 96 bytes of weights less`."""
    counts = (
        f"{removal.operations:,} operations",
        f"{removal.macs:,} multiply-accumulates",
        f"{removal.weight_bytes:,} bytes of weights",
    )
    if not any((removal.operations, removal.macs, removal.weight_bytes)):
        return f"{removal.name}: nothing to remove"
    return f"{removal.name}: {counts[0]}, {counts[1]} and {counts[2]} less"


def _patches(patching: Patching) -> str:
    """What became patches, and what it does to memory."""
    memory = f"{patching.arena:,} instead of {patching.arena_before:,} bytes of activations"
    return f"patches: {patches_line(patching.record)}; {memory}"


def _patch_facts(patching: Patching) -> dict[str, Any]:
    return {**asdict(patching.record), "arena": patching.arena, "arena_before": patching.arena_before}
