"""Arrays saved with `numpy.save`, accepted for every sensor."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from container.arrays import Array
from container.files import read_bounded
from container.manifest import StageRecord
from container.values import checked_bytes
from runtime.sensors.source import MAXIMUM_FILE_BYTES, Repeated, SensorSource, unfit


def open_npy(stage: StageRecord, path: Path) -> SensorSource:
    """Raises SensorError when the file is damaged, or of another element type or shape."""
    array = _read(path)
    try:
        return Repeated(checked_bytes(stage.outputs[0], array))
    except ValueError as error:
        raise unfit(path, f"cannot feed the capability `{stage.name}`: {error}") from None


def _read(path: Path) -> Array:
    data = read_bounded(path, MAXIMUM_FILE_BYTES)
    if not data.startswith(b"\x93NUMPY"):
        raise unfit(path, "is no .npy file: it does not begin with \\x93NUMPY")
    try:
        # `max_header_size` and the refusal of pickles are what make this safe on any file.
        array: Array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # numpy's header parser lets out whatever it meets.
        raise unfit(path, f"is no array that can be read: {str(error).splitlines()[0][:120]}") from None
    return array
