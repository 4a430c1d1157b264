"""Plain text for people: columns and numbers with units."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from container.manifest import PatchRecord


def table(rows: Sequence[Sequence[str]], *, right: Container[int] = ()) -> str:
    """Rows as aligned columns; those whose numbers are in `right` are aligned to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def size(count: int) -> str:
    """A number of bytes for people: `812 bytes`, `35.5 KiB`."""
    return f"{count} bytes" if count < 1024 else f"{count / 1024:.1f} KiB"


def patches_line(patches: PatchRecord) -> str:
    """`conv_2d_0 to add_3 in 4 patches of 8 rows, 608,256 multiply-accumulates more than without`."""
    rows = "1 row" if patches.rows == 1 else f"{patches.rows} rows"
    more = "more" if patches.macs >= 0 else "less"
    work = f"{abs(patches.macs):,} multiply-accumulates {more} than without"
    return f"{patches.first} to {patches.last} in {patches.count} patches of {rows}, {work}"


def printable(text: str) -> str:
    """Text as it may reach a terminal: what could move the cursor or change colours is spelt out."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else f"\\u{ord(character):04x}"
        for character in text
    )
