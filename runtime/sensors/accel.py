"""ACCEL: readings of an accelerometer from a CSV file, a line per reading, a column per axis.

The type is (readings, axes), dimensions of size one aside, three axes where it does not say; one inference
takes so many lines, the next one the lines that follow.  Cells are separated by commas, semicolons, tabs or
spaces; a first line that holds no numbers is a header.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from container.arrays import to_bytes
from container.errors import ContainerError
from container.files import read_bounded
from container.manifest import StageRecord
from container.tensors import TensorType
from runtime.sensors.source import SensorSource, Windows, argument, unfit

AXES = 3
MAXIMUM_FILE_BYTES = 32 << 20


def open_accel(stage: StageRecord, path: Path) -> SensorSource:
    """Raises SensorError that names the line and column of a bad cell, or what is missing."""
    kind = stage.outputs[0]
    readings, axes = _size(stage)
    rows = [_numbers(path, line, cells, axes) for line, cells in _lines(path)]
    if len(rows) < readings:
        raise unfit(
            path,
            f"has {len(rows):,} readings, the capability `{stage.name}` takes {readings:,} ({kind})",
        )
    values = np.array(rows[: len(rows) // readings * readings])
    return Windows(_to_type(path, kind, values), kind.bytes)


def _size(stage: StageRecord) -> tuple[int, int]:
    """Readings of one inference, and axes of a reading."""
    kind = stage.outputs[0]
    readings = next(
        (count for name in ("n", "samples") if (count := argument(stage, name, int)) is not None), None
    )
    if readings is None:
        axes = kind.squeezed[-1] if len(kind.squeezed) > 1 else AXES
        readings = kind.count // axes
    if readings < 1 or kind.count % readings or not (kind.element.is_float or kind.element.is_integer):
        raise ContainerError(
            f"`{stage.name}`: {kind} does not hold readings of an accelerometer",
            hint=f"expected a shape such as [1,READINGS,{AXES}]",
        )
    return readings, kind.count // readings


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line numbers, from 1, and cells; without header and empty lines."""
    text = read_bounded(path, MAXIMUM_FILE_BYTES).decode("utf-8-sig", errors="replace")
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = next((mark for mark in ";\t," if mark in first), " ")
    header = True
    try:
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        for row in reader:
            cells = [cell.strip() for cell in row]
            if delimiter == " ":
                cells = [cell for cell in cells if cell]
            if any(cells):
                if not (header and all(_number(cell) is None for cell in cells)):
                    yield reader.line_num, cells
                header = False
    except csv.Error as error:
        raise unfit(f"{path}:{reader.line_num}", f"is no line of CSV: {error}") from None


def _numbers(path: Path, line: int, cells: list[str], axes: int) -> list[float]:
    if len(cells) != axes:
        raise unfit(f"{path}:{line}", f"has {len(cells)} columns, expected {axes}")
    numbers = []
    for column, cell in enumerate(cells, start=1):
        number = _number(cell)
        if number is None:
            raise unfit(f"{path}:{line}", f"column {column} is {cell[:40]!r}, expected a number")
        numbers.append(number)
    return numbers


def _number(cell: str) -> float | None:
    if "_" in cell or not cell.isascii():
        return None
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _to_type(
    path: Path, kind: TensorType, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> bytes:
    flat = TensorType(kind.element, values.shape)
    if kind.element.is_float:
        with np.errstate(over="ignore"):
            return to_bytes(flat, values.astype(kind.element.dtype))
    limits = np.iinfo(kind.element.dtype)
    fits = (values == np.rint(values)) & (values >= limits.min) & (values < float(limits.max) + 1)
    if not fits.all():
        raise unfit(path, f"holds {values[~fits][0]!s}, which is no {kind.element.value}")
    return to_bytes(flat, values.astype(kind.element.dtype))
