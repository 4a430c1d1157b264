"""What the checker must know of proc blocks and models, as seen from the language.

The checker imports no compiler: whoever calls it hands it a `BlockCatalog` and a `ModelReader`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from container.manifest import Argument
from container.tensors import TensorType


class ParameterKind(StrEnum):
    """What values an argument takes."""

    INTEGER = "an integer"
    NUMBER = "a number"
    TEXT = "text"
    BOOLEAN = "true or false"
    LIST = "a list"
    """Items separated by commas in text, a sequence in YAML, or lines of a text: all arrive as a tuple."""
    INTEGERS = "a list of integers"
    NUMBERS = "a list of numbers"


@dataclass(frozen=True)
class Parameter:
    """One argument that a stage understands, and the names it goes by; `-` and `_` are the same."""

    name: str
    kind: ParameterKind
    summary: str
    required: bool = False
    default: Argument | None = None
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class TypeRuleError(Exception):
    """A type rule refuses its inputs or arguments.

    `input` is the number of the input at fault, `argument` the name of the argument; the checker points
    there, or at the stage when both are None.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, input: int | None = None, argument: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.input = input
        self.argument = argument


@dataclass(frozen=True)
class BlockUse:
    """One use of a proc block, as its type rule sees it."""

    inputs: tuple[TensorType, ...]
    """Inferred types of what flows in, quantisation included."""
    arguments: Mapping[str, Argument]
    """By canonical parameter name, defaults filled in; one with neither value nor default is absent."""
    declared: tuple[TensorType | None, ...]
    """Declared output types; None where the Runefile says `_`."""
    consumer: TensorType | None = None
    """What the model that takes the first output expects, where there is one."""


class BlockSignature(Protocol):
    """The outside of one proc block."""

    @property
    def name(self) -> str: ...

    @property
    def summary(self) -> str: ...

    @property
    def parameters(self) -> Sequence[Parameter]: ...

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        """Types of the outputs.  Raises TypeRuleError."""
        ...


class BlockCatalog(Protocol):
    """The proc blocks that a pipeline may use."""

    def names(self) -> Sequence[str]:
        """Canonical names of the built-in blocks, for `did you mean`."""
        ...

    def find(self, name: str) -> BlockSignature | None:
        """The built-in block of that name (`-` and `_` mean the same), or None."""
        ...

    def load(self, path: Path) -> BlockSignature:
        """The user's own block in a `.py` or `.c` file, or a folder holding one.

        Raises FileNotFoundError when there is no such file, CompileError when it is no proc block.
        """
        ...


@dataclass(frozen=True)
class ModelPort:
    """One input or output of a model: its name in the model file and its type."""

    name: str
    type: TensorType


@dataclass(frozen=True)
class ModelSignature:
    inputs: tuple[ModelPort, ...]
    outputs: tuple[ModelPort, ...]
    format: str
    """`tensorflow-lite`, `onnx` or `pytorch`, found out from the data."""


class ModelReader(Protocol):
    def __call__(
        self, data: bytes, file: str, format: str | None, signature: str | None = None
    ) -> ModelSignature:
        """Inputs and outputs of a model file, or of one of its signatures, by the signature's key.

        `file` is its name in messages.  Raises CompileError.
        """
        ...
