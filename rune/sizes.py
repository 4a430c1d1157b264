"""What a container takes, as facts and as a page of text for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from container.abi import Profile
from container.manifest import MemoryPlan
from container.memory import blocks, peak
from devices.budget import STACK, Memory, Need, Part
from devices.size import BoardSize, ProfileSize, SizeReport
from rune.text import patches_line, table


def facts(report: SizeReport) -> dict[str, Any]:
    """All sizes as plain values, in bytes."""
    profiles = {
        size.profile.value: {
            "module": size.module,
            "linear_memory": size.linear_memory,
            "parts": _named(size.parts),
            "stages": [asdict(stage) for stage in size.stages],
            "operators": [asdict(operator) for operator in size.plan.operators],
            "blocks": [asdict(block) for block in blocks(size.plan)],
            "peak": _peak_facts(size.plan),
        }
        for size in report.profiles
    }
    patches = None if report.patches is None else asdict(report.patches)
    found = {
        "name": report.name,
        "optimization": report.optimization.value,
        "sections": _named(report.file),
        "profiles": profiles,
        "patches": patches,
    }
    return found if report.board is None else {**found, "board": _board_facts(report.board)}


def _peak_facts(plan: MemoryPlan) -> dict[str, Any] | None:
    highest = peak(plan)
    return None if highest is None else asdict(highest)


def _board_facts(size: BoardSize) -> dict[str, Any]:
    agent = None if size.agent is None else _need_facts(size.agent)
    return {
        "name": size.board.name,
        **_need_facts(size.need),
        "fits": size.need.fits,
        "at_least": size.need.at_least,
        "agent": agent,
    }


def _need_facts(need: Need) -> dict[str, Any]:
    return {"flash": _memory_facts(need.flash), "ram": _memory_facts(need.ram)}


def _memory_facts(memory: Memory) -> dict[str, Any]:
    return {
        "parts": _named(memory.parts),
        "used": memory.used,
        "available": memory.available,
        "free": memory.free,
    }


def page(report: SizeReport) -> str:
    """The container's own sizes for people, without a line break at the end."""
    return "\n\n".join(
        [
            f"{report.name}: sizes in bytes, code {report.optimization.words}",
            section("File", part_rows(report.file)),
            section("Linear memory", _memory_rows(report.profiles)),
            section("Activations by stage", _stage_rows(report.profiles)),
            *_patches(report),
        ]
    )


def _patches(report: SizeReport) -> list[str]:
    return [] if report.patches is None else [f"Patches\n  {patches_line(report.patches)}"]


def board_page(report: SizeReport, size: BoardSize) -> str:
    """What it takes of a board, for people: two sentences as Arduino's, the budgets, and a verdict."""
    boards = [profile for profile in report.profiles if profile.profile is Profile.MCU]
    parts = [
        f"{report.name} on {size.board.name}: sizes in bytes, code {report.optimization.words}",
        _sentences(size.need)
        if not size.need.at_least
        else "It was not compiled: its memory plan alone is too large.",
        section("Flash", _budget_rows(size.need.flash)),
        section("RAM", _budget_rows(size.need.ram)),
        section("Activations by stage", _stage_rows(boards)[1:]),
        *_patches(report),
        section("Agent, beside it", _agent_rows(size.agent)) if size.agent else "",
        verdict(size),
    ]
    return "\n\n".join(part for part in parts if part)


def _sentences(need: Need) -> str:
    """As the Arduino IDE ends a build; what follows `Global variables` is known to many a script."""
    flash, ram = need.flash, need.ram
    variables = ram.used - sum(part.bytes for part in ram.parts if part.name == STACK)
    return (
        f"Container uses {flash.used} bytes ({_percent(flash.used, flash)}%) of program storage space. "
        f"Maximum is {flash.available} bytes.\n"
        f"Global variables use {variables} bytes ({_percent(variables, ram)}%) of dynamic memory, "
        f"leaving {ram.available - variables} bytes for local variables. Maximum is {ram.available} bytes."
    )


def _percent(used: int, memory: Memory) -> int:
    return used * 100 // memory.available


def _budget_rows(memory: Memory) -> list[list[str]]:
    free = [["free", f"{memory.free:,}"]] if memory.free >= 0 else [["missing", f"{-memory.free:,}"]]
    return [*part_rows(memory.parts), ["available", f"{memory.available:,}"], *free]


def _agent_rows(agent: Need) -> list[list[str]]:
    names = ["takes", "is kept for it", "free"]
    columns = [[memory.used, memory.available, memory.free] for memory in (agent.flash, agent.ram)]
    rows = [[name, f"{flash:,}", f"{ram:,}"] for name, flash, ram in zip(names, *columns, strict=True)]
    return [["", "flash", "RAM"], *rows]


def verdict(size: BoardSize) -> str:
    """One line: whether it fits, and how much is left or missing."""
    need, name = size.need, size.board.name
    if need.fits:
        return f"It fits {name}: {need.flash.free:,} bytes of flash and {need.ram.free:,} of RAM stay free."
    both = (("flash", need.flash), ("RAM", need.ram))
    missing = [f"{-memory.free:,} bytes of {kind}" for kind, memory in both if memory.free < 0]
    least = "at least " if need.at_least else ""
    return f"It does not fit {name}: {least}{' and '.join(missing)} are missing."


def section(title: str, rows: Sequence[Sequence[str]]) -> str:
    """A title, and rows below it whose first column alone is aligned to the left."""
    body = table(rows, right=range(1, len(rows[0])))
    return "\n".join([title, *(f"  {line}".rstrip() for line in body.splitlines())])


def part_rows(parts: Sequence[Part]) -> list[list[str]]:
    """A row for each part, and one for all."""
    total = Part("total", sum(part.bytes for part in parts))
    return [[part.name, f"{part.bytes:,}"] for part in (*parts, total)]


def _named(parts: Sequence[Part]) -> dict[str, int]:
    return {part.name: part.bytes for part in parts}


def _memory_rows(sizes: Sequence[ProfileSize]) -> list[list[str]]:
    columns = [_named([*size.parts, Part("total", size.linear_memory)]) for size in sizes]
    return _columns(sizes, columns)


def _stage_rows(sizes: Sequence[ProfileSize]) -> list[list[str]]:
    """The most that is alive while a stage runs: stages share one block of memory."""
    return _columns(sizes, [{stage.stage: stage.arena_bytes for stage in size.stages} for size in sizes])


def _columns(sizes: Sequence[ProfileSize], columns: Sequence[dict[str, int]]) -> list[list[str]]:
    names = dict.fromkeys(name for column in columns for name in column)
    # A part that one profile alone has stands before the total all the same.
    ordered = sorted(names, key=lambda name: name == "total")
    rows = [[name, *(f"{column.get(name, 0):,}" for column in columns)] for name in ordered]
    return [["", *(size.profile.value for size in sizes)], *rows]
