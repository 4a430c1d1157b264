"""What a proc block is: one file with its arguments, its type rule, its meaning in Relax and in NumPy.

The first two are all the checker needs, so a block's file imports TVM only inside of `expressions`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import isabstract
from types import ModuleType
from typing import Any, Protocol, TypeAlias

import numpy as np

from container.manifest import StageRecord
from container.tensors import TensorType
from runefile.pipeline import TypedPipeline
from runefile.signatures import BlockUse, Parameter

Array: TypeAlias = np.ndarray[Any, Any]


class Emitter(Protocol):
    """What a block writes its part of the Relax module with; `builder/block_emitter.py` is the real one.

    Each method names what it emits, for the memory plan and the profile of a container.
    """

    def __call__(self, expression: Any, name: str) -> Any:
        """Binds a Relax expression to a variable and returns the variable."""
        ...

    def elementwise(self, function: Callable[..., Any], inputs: Sequence[Any], name: str) -> Any:
        """A tensor whose elements are `function` of the elements of the inputs, which have one shape.

        It is fused with its neighbours.
        """
        ...

    def kernel(
        self, body: Callable[..., None], inputs: Sequence[Any], outputs: Sequence[TensorType], name: str
    ) -> Sequence[Any]:
        """A function in TIR (see `builder/tir.py`); `body` is given the buffers of the inputs and the
        outputs.
        """
        ...

    def c_function(
        self, symbol: str, inputs: Sequence[Any], outputs: Sequence[TensorType], name: str
    ) -> Sequence[Any]:
        """A call of `int32_t symbol(inputs..., outputs...)` in C, which returns 0 or a `Failure`."""
        ...


@dataclass(frozen=True)
class CSource:
    """A translation unit of C that a block brings."""

    file: str
    """Its name in messages."""
    text: str


class NoReference(Exception):
    """A block has no NumPy meaning, so no golden vectors can be made for its pipeline."""


class Block(ABC):
    """A proc block; satisfies `runefile.signatures.BlockSignature`.

    The docstring of a block is its exact meaning, for the user.
    """

    name: str
    summary: str
    """One line."""
    example: str = ""
    """A line of a Runefile."""
    parameters: Sequence[Parameter] = ()

    @abstractmethod
    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        """Types of the outputs.  Raises TypeRuleError."""

    @abstractmethod
    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        """The block in Relax: a variable for each output, text as bytes [..., width].

        Shapes are those of the types, but that a scalar may come as one element.
        """

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        """The same in NumPy, written apart from `expressions`: what golden vectors are made with.

        Raises NoReference where there is none, ValueError where the block refuses these values.
        """
        raise NoReference(f"proc block `{self.name}` has no reference in NumPy")

    def sources(self, use: BlockUse, outputs: Sequence[TensorType]) -> Sequence[CSource]:
        """The C that this use needs; equal sources are taken once."""
        return ()


def block_classes(module: ModuleType) -> list[type[Block]]:
    """The concrete blocks that a module defines itself."""
    return [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, Block)
        and kind.__module__ == module.__name__
        and not isabstract(kind)
    ]


def use_of(stage: StageRecord) -> BlockUse:
    """The use of a block that a checked stage is."""
    return BlockUse(inputs=stage.input_types, arguments=stage.arguments, declared=stage.outputs)


def block_sources(pipeline: TypedPipeline) -> list[CSource]:
    """The C that the blocks of a pipeline bring, each source once."""
    sources: dict[CSource, None] = {}
    for stage in pipeline.stages:
        block = pipeline.blocks.get(stage.name)
        if isinstance(block, Block):
            sources.update(dict.fromkeys(block.sources(use_of(stage), stage.outputs)))
    return list(sources)
