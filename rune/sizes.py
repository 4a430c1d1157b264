"""What a container takes, as facts and as a page of text for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from container.sections import Container
from devices.size import Part, ProfileSize, file_parts, profile_sizes
from rune.text import table


def facts(container: Container) -> dict[str, Any]:
    """The container's own sizes as plain values, in bytes."""
    return {
        "name": container.manifest.name,
        "sections": _named(file_parts(container)),
        "profiles": {
            size.profile.value: {
                "module": size.module,
                "linear_memory": size.linear_memory,
                "parts": _named(size.parts),
                "stages": [asdict(stage) for stage in size.stages],
            }
            for size in profile_sizes(container)
        },
    }


def page(container: Container) -> str:
    """The same for people, without a line break at the end."""
    sizes = profile_sizes(container)
    return "\n\n".join(
        [
            f"{container.manifest.name}: sizes in bytes",
            section("File", part_rows(file_parts(container))),
            section("Linear memory", _memory_rows(sizes)),
            section("Activations by stage", _stage_rows(sizes)),
        ]
    )


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
