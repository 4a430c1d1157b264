"""RAW: the bytes of a file, exactly as many as the type has, little-endian and row-major."""

from __future__ import annotations

from pathlib import Path

from container.files import read_bounded
from container.manifest import StageRecord
from runtime.sensors.source import MAXIMUM_FILE_BYTES, Repeated, SensorSource, unfit


def open_raw(stage: StageRecord, path: Path) -> SensorSource:
    """Raises SensorError when the file has another length."""
    kind = stage.outputs[0]
    data = read_bounded(path, MAXIMUM_FILE_BYTES)
    if len(data) != kind.bytes:
        raise unfit(
            path,
            f"has {len(data):,} bytes, the capability `{stage.name}` takes {kind.bytes:,} ({kind})",
            hint="an array saved with numpy needs the ending .npy" if data.startswith(b"\x93NUMPY") else None,
        )
    return Repeated(data)
