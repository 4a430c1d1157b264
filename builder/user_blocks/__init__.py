"""Proc blocks of the user's own: a file of Python or C beside the Runefile.

A path names `PATH` itself where it ends in `.py` or `.c`, else the one there is of `PATH.py`, `PATH.c`,
`PATH/block.py` and `PATH/block.c`.
"""

from __future__ import annotations

from pathlib import Path

from builder.blocks.base import Block
from container.errors import CompileError, RunefileError
from runefile.files import read_regular

MAXIMUM_BYTES = 1 << 20
"""The largest file that is read."""
_ENDINGS = (".py", ".c")


def load_block(path: Path) -> Block:
    """The block in a file.  Raises FileNotFoundError, or CompileError when it holds no proc block."""
    file = _find(path)
    try:
        text = read_regular(file, MAXIMUM_BYTES).decode()
    except RunefileError as error:
        raise CompileError(f"{file.name} {error.message}", hint=error.hint) from None
    except UnicodeDecodeError as error:
        raise CompileError(f"{file.name} is not UTF-8: byte {error.start}") from None
    name = file.parent.name if file.stem == "block" else file.stem
    if file.suffix == ".py":
        from builder.user_blocks.python_file import python_block

        return python_block(text, file, name)
    from builder.user_blocks.c_file import CBlock
    from builder.user_blocks.c_signature import read_signature

    return CBlock(name, file.name, text, read_signature(text, file.name))


def _find(path: Path) -> Path:
    if path.suffix in _ENDINGS:
        return path
    candidates = [path.with_name(path.name + ending) for ending in _ENDINGS]
    candidates += [path / f"block{ending}" for ending in _ENDINGS]
    found = [candidate for candidate in candidates if candidate.is_file()]
    if not found:
        raise FileNotFoundError(path)
    if len(found) > 1:
        names = " and ".join(str(file.relative_to(path.parent)) for file in found)
        raise CompileError(
            f"{path.name} can mean {names}", hint="name the file with its ending, or remove one"
        )
    return found[0]
