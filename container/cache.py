"""The folder of what is kept between runs of the tools, and files in it that are built once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from container.errors import RuneError
from container.files import reason

FOLDER_VARIABLE = "RUNE_CACHE_DIR"
"""Environment variable that names another folder."""


def cache_folder() -> Path:
    """Where it is; it may not exist yet."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    from platformdirs import user_cache_path

    return user_cache_path("rune")


def cached(name: str, build: Callable[[Path, str], None]) -> Path:
    """The file `name`, a path relative to the cache; where it is missing it is built beside and renamed.

    `build` gets an empty folder and the name of the file that it makes there.  What the file depends on must
    be part of its name.  Raises what `build` raises, and RuneError when the cache cannot be written.
    """
    path = cache_folder() / name
    if path.exists():
        return path
    import tempfile  # Not above: whoever only asks for the folder starts sooner.

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as work:
            build(Path(work), path.name)
            (Path(work) / path.name).replace(path)
    except OSError as error:
        hint = f"set {FOLDER_VARIABLE} to a folder that can be written to"
        raise RuneError(f"{path.parent}: cannot be written: {reason(error)}", hint=hint) from None
    return path
