"""Which dtypes an operator takes, found by letting it read a node that only notes what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Any, TypeAlias

import numpy as np

from builder.importers.tflite_file import Operator as FileOperator
from builder.importers.tflite_file import Tensor
from builder.operators.base import Node, Operator, Unsupported

Combinations: TypeAlias = tuple[tuple[str, ...], ...]
"""Each the dtypes of some inputs, then of the result."""

INPUTS = 8
"""As many as any operator asks for."""


class _Asked(Exception):
    def __init__(self, combinations: Combinations) -> None:
        self.combinations = combinations


class _Probe(Node):
    def require_dtype(self, *combinations: tuple[str, ...]) -> tuple[str, ...]:
        raise _Asked(combinations)

    def require_same_dtype(self, dtypes: Set[str], tensors: Sequence[Tensor]) -> None:
        raise _Asked(tuple((dtype, dtype) for dtype in sorted(dtypes)))


class _Zeros:
    """A table of the file whose every field is 0."""

    def __getattr__(self, field: str) -> Callable[..., Any]:
        return lambda *arguments: 0


class _ProbedOperator(FileOperator):
    def options(self, table: str) -> Any:
        return _Zeros()


def taken_combinations(operator: Operator, name: str) -> Combinations:
    """The dtypes that an operator takes as the TensorFlow Lite operator `name`.

    Raises Unsupported, or what else the operator stumbles over, when it does not tell: then it must say so
    in its attribute `combinations`.
    """
    if operator.combinations:
        return operator.combinations
    tensor = Tensor(0, "x", "UNKNOWN", (1,), None, np.zeros(1, "int32"), is_variable=False)
    asked = _ProbedOperator(0, name, (0,) * INPUTS, (0,), _Zeros())
    memory: Any = _Zeros()
    try:
        operator.read_tflite(_Probe(asked, [tensor], {}, lambda expression: expression, memory))
    except _Asked as found:
        return found.combinations
    raise Unsupported(f"{name} asks for no dtypes")
