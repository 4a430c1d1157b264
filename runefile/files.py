"""Reading the files that a Runefile names, and finding the Runefile itself.

A Runefile may name any file of its user's, relative to its own folder or absolute.  Only regular files are
read, and only up to a limit, so that neither a pipe nor /dev/zero can stall or fill the machine.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from container.errors import RunefileError
from container.files import reason

MAXIMUM_RUNEFILE_BYTES = 256 << 10
MAXIMUM_TEXT_BYTES = 4 << 20
"""Text resources: labels, vocabularies."""
MAXIMUM_MODEL_BYTES = 512 << 20

TEXT_NAME = "Runefile"
YAML_NAMES = ("Runefile.yml", "Runefile.yaml")


def read_regular(path: Path, maximum_bytes: int) -> bytes:
    """The whole of a regular file.

    Raises FileNotFoundError, or RunefileError whose message says why the file cannot be read (without naming
    it, since the caller shows where it is named).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb", closefd=True) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise RunefileError("is a folder" if stat.S_ISDIR(mode) else "is no regular file")
            data = file.read(maximum_bytes + 1)
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise RunefileError("is a folder") from None
    except (OSError, ValueError) as error:
        raise RunefileError(f"cannot be read: {reason(error)}") from None
    if len(data) > maximum_bytes:
        raise RunefileError(f"is larger than {maximum_bytes:,} bytes, the most that is read")
    return data


def find_runefile(directory: Path) -> Path:
    """The Runefile of a folder: `Runefile`, else `Runefile.yml` or `Runefile.yaml`.

    Raises RunefileError when there is none, or more than one.
    """
    found = [directory / name for name in (TEXT_NAME, *YAML_NAMES) if (directory / name).is_file()]
    if not found:
        raise RunefileError(f"{directory}: there is no Runefile here", hint="name the file to use")
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise RunefileError(f"{directory}: there are {names}", hint="remove one, or name the file to use")
    return found[0]
