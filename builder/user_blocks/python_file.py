"""A proc block in a Python file: a subclass of `Block`, guarded so that its faults are told like all
others.

The file runs when it is loaded, with the rights of whoever builds: a Runefile with blocks in Python is a
program.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from builder.blocks.base import Array, Block, CSource, Emitter, NoReference, block_classes
from container.errors import CompileError
from container.tensors import TensorType
from runefile.signatures import BlockUse, Parameter, TypeRuleError


def python_block(text: str, file: Path, name: str) -> Block:
    """The one block that a file defines.  Raises CompileError when it fails, or defines none or several."""
    with _guarded(file):
        code = compile(text, str(file), "exec", dont_inherit=True)
        # Not imported: that would leave a `__pycache__` beside the Runefile.
        module = ModuleType(f"rune_block_{hashlib.sha256(str(file.absolute()).encode()).hexdigest()[:16]}")
        module.__file__ = str(file)
        sys.modules[module.__name__] = module
        exec(code, module.__dict__)
    kinds = block_classes(module)
    if len(kinds) != 1:
        names = ", ".join(kind.__name__ for kind in kinds) or "none"
        raise CompileError(
            f"{file.name} must define one proc block, a class derived from Block; it defines {names}",
            hint="a class needs `infer` and `expressions`; see docs/proc-blocks.md",
        )
    with _guarded(file):
        return _UserBlock(file, name, kinds[0]())


class _UserBlock(Block):
    """Calls the user's block, and turns whatever it throws into a CompileError with file and line."""

    def __init__(self, file: Path, name: str, block: Block) -> None:
        self._file, self._block = file, block
        self.name = block.name = str(getattr(block, "name", name))
        self.summary = str(getattr(block, "summary", (block.__doc__ or "").strip().partition("\n")[0]))
        self.parameters = tuple(block.parameters)
        if not all(isinstance(parameter, Parameter) for parameter in self.parameters):
            raise TypeError("`parameters` must be a list of Parameter")

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        with _guarded(self._file, TypeRuleError):
            outputs = tuple(self._block.infer(use))
            for kind in outputs:
                if not isinstance(kind, TensorType) or not all(size >= 1 for size in kind.shape):
                    raise TypeError(f"`infer` must return TensorTypes without empty dimensions, not {kind!r}")
            return outputs

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        with _guarded(self._file):
            results = list(self._block.expressions(emit, inputs, use, outputs))
            if not all(hasattr(result, "ty") for result in results):
                raise TypeError("`expressions` must return what `emit` returned, one for each output")
            return results

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        with _guarded(self._file, NoReference, ValueError):
            return list(self._block.reference(inputs, use, outputs))

    def sources(self, use: BlockUse, outputs: Sequence[TensorType]) -> Sequence[CSource]:
        with _guarded(self._file):
            return list(self._block.sources(use, outputs))


@contextlib.contextmanager
def _guarded(file: Path, *passed: type[Exception]) -> Iterator[None]:
    """Runs code of the file: what it prints goes to stderr, what it throws becomes a CompileError.

    Only an interrupt by the user, and the exceptions `passed`, come through.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (KeyboardInterrupt, CompileError):
        raise
    except passed:
        raise
    except SystemExit as error:
        raise CompileError(f"{_place(file, error)}: it ends the program (SystemExit: {error})") from error
    except SyntaxError as error:
        place = f"{file.name}:{error.lineno}" if error.filename == str(file) else file.name
        raise CompileError(f"{place}: {error.msg}") from error
    except BaseException as error:
        raise CompileError(f"{_place(file, error)}: {type(error).__name__}: {error}") from error


def _place(file: Path, error: BaseException) -> str:
    """File and line where the file's own code was last, when it failed."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)
    ]
    return f"{file.name}:{lines[-1]}" if lines else file.name
