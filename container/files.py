"""Reading with a bound and writing in one step."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from container.errors import RuneError


def write_atomically(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a file beside its place and rename it there: a reader sees the old bytes or the new, never half.

    `mode` is the new file's permissions before the umask.  What is no regular file (a pipe, /dev/null) is
    written to directly.  Raises RuneError that names the file and the system's reason.
    """
    try:
        target = path.resolve()
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            target.write_bytes(data)
        else:
            _write_and_rename(target, data, mode)
    except (OSError, ValueError) as error:
        raise RuneError(f"{path}: cannot be written: {reason(error)}") from None


def _write_and_rename(target: Path, data: bytes, mode: int) -> None:
    beside = target.with_name(f".{target.name[:100]}.{os.urandom(8).hex()}.tmp")
    descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def read_bounded(path: Path, maximum_bytes: int) -> bytes:
    """The whole of a file.  Raises RuneError when it cannot be read or is larger than `maximum_bytes`."""
    try:
        with path.open("rb") as file:
            data = file.read(maximum_bytes + 1)
    except (OSError, ValueError) as error:
        raise RuneError(f"{path}: cannot be read: {reason(error)}") from None
    if len(data) > maximum_bytes:
        raise RuneError(f"{path}: is larger than {maximum_bytes:,} bytes, the most that is read")
    return data


def reason(error: Exception) -> str:
    """The system's words for an error, without errno and path."""
    return (isinstance(error, OSError) and error.strerror) or str(error)
