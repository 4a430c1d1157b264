"""Reads `.npz` files, which are ZIP archives of arrays and may come from anywhere."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from container.errors import UsageError

MAXIMUM_BYTES = 1 << 30
"""Of all arrays together, unpacked."""


def read_arrays(file: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a file by name.  Raises UsageError when it is no such file, or unpacks to too much."""
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAXIMUM_BYTES:
            raise UsageError(f"{file}: its arrays take {size:,} bytes, more than {MAXIMUM_BYTES:,}")
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (
        OSError, ValueError, EOFError, AttributeError, KeyError, NotImplementedError, RuntimeError,
        SyntaxError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error,
    ) as fault:  # fmt: skip
        raise UsageError(f"{file}: not a readable .npz file ({fault})") from fault
