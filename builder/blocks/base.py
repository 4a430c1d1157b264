"""What a proc block is: one file with its arguments, its type rule, its meaning in Relax and in NumPy.

The first two are all the checker needs, so a block's file imports TVM only inside of `expressions`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from container.manifest import StageRecord
from container.tensors import TensorType
from runefile.signatures import BlockUse, Parameter

Emit = Callable[[Any, str], Any]
"""Binds a Relax expression to a variable of the given name and returns the variable."""


class Block(ABC):
    """A proc block; satisfies `runefile.signatures.BlockSignature`."""

    name: ClassVar[str]
    summary: ClassVar[str]
    parameters: ClassVar[Sequence[Parameter]] = ()

    @abstractmethod
    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        """Types of the outputs.  Raises TypeRuleError."""

    @abstractmethod
    def expressions(
        self, emit: Emit, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        """The block in Relax: a variable or expression for each output, text as bytes [..., width]."""

    @abstractmethod
    def reference(
        self, inputs: Sequence[np.ndarray[Any, Any]], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[np.ndarray[Any, Any]]:
        """The same in NumPy, written apart from `expressions`: what golden vectors are made with."""


def use_of(stage: StageRecord) -> BlockUse:
    """The use of a block that a checked stage is."""
    return BlockUse(inputs=stage.input_types, arguments=stage.arguments, declared=stage.outputs)
