"""TENSOR: the raw bytes of each inference, in a file.

The file is named by the stage's argument `file`, or `NAME.bin`; where the stage has several inputs each has
its own, `NAME.0.bin`, `NAME.1.bin`...  Each inference replaces the file as a whole.  The bytes are row-major
and little-endian.

A container may come from anywhere, and so does the file's name: it is a plain name in the folder that the
user chose, ending in `.bin`, `.raw` or `.dat`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from container.errors import ContainerError
from container.files import write_atomically
from container.manifest import Manifest, StageKind, StageRecord

KIND = "TENSOR"
SUFFIXES = (".bin", ".raw", ".dat")


def is_tensor(stage: StageRecord) -> bool:
    """Whether an OUT stage goes to a file."""
    return stage.target.upper() == KIND


def write_tensors(manifest: Manifest, outputs: Mapping[int, bytes], folder: Path) -> list[Path]:
    """Write the files of one inference, and return their paths.

    Raises ContainerError for a file name that a container may not ask for, RuneError when a file cannot be
    written.
    """
    written = []
    for stage in filter(is_tensor, manifest.of_kind(StageKind.OUT)):
        for number, name in enumerate(_names(stage)):
            write_atomically(folder / name, outputs[(stage.port or 0) + number])
            written.append(folder / name)
    return written


def _names(stage: StageRecord) -> list[str]:
    name = str(stage.arguments.get("file", f"{stage.name}.bin"))
    path = Path(name)
    if path.name != name or name.startswith(".") or not name.isprintable() or path.suffix not in SUFFIXES:
        raise ContainerError(
            f"the output `{stage.name}` would write to {name!r}",
            hint=f"a container may write to a plain file name that ends in {' or '.join(SUFFIXES)}",
        )
    count = len(stage.inputs)
    return [name] if count == 1 else [f"{path.stem}.{number}{path.suffix}" for number in range(count)]
