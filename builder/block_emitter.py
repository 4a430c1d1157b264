"""The real `Emitter`: writes the Relax of a proc block, each variable under the number of its stage."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from tvm import relax, te

from builder import tir
from builder.operators.base import dtype_of, shape_of
from container.tensors import TensorType


class RelaxEmitter:
    """Satisfies `builder.blocks.base.Emitter`; `emit` binds an expression to a variable of the stage."""

    def __init__(self, builder: Any, emit: Callable[[Any, str], Any]) -> None:
        self._builder = builder
        self._emit = emit

    def __call__(self, expression: Any, name: str) -> Any:
        return self._emit(expression, name)

    def elementwise(self, function: Callable[..., Any], inputs: Sequence[Any], name: str) -> Any:
        def compute(*tensors: Any) -> Any:
            def element(*position: Any) -> Any:
                return function(*(tensor[position] for tensor in tensors))

            return te.compute(tensors[0].shape, element, name=name)

        return self._emit(self._builder.call_te(compute, *inputs, primfunc_name_hint=_function(name)), name)

    def kernel(
        self, body: Callable[..., None], inputs: Sequence[Any], outputs: Sequence[TensorType], name: str
    ) -> Sequence[Any]:
        buffers = [(f"x{k}", shape_of(value), dtype_of(value)) for k, value in enumerate(inputs)]
        buffers += [(f"y{k}", block_shape(kind), kind.element.dtype) for k, kind in enumerate(outputs)]
        function = self._builder.add_func(tir.kernel(buffers, body), _function(name))
        return self._results(relax.call_tir(function, list(inputs), _types(outputs)), outputs, name)

    def c_function(
        self, symbol: str, inputs: Sequence[Any], outputs: Sequence[TensorType], name: str
    ) -> Sequence[Any]:
        call = relax.op.call_dps_packed(symbol, list(inputs), _types(outputs))
        return self._results(call, outputs, name)

    def _results(self, call: Any, outputs: Sequence[TensorType], name: str) -> Sequence[Any]:
        results = self._emit(call, name)
        if len(outputs) == 1:
            return [results]
        return [self._emit(relax.TupleGetItem(results, k), f"{name}_{k}") for k in range(len(outputs))]


def _function(name: str) -> str:
    """What the kernel is called in C, where a bare name could be a word of the language."""
    return "block_" + re.sub(r"\W", "_", name, flags=re.ASCII)


def block_shape(kind: TensorType) -> tuple[int, ...]:
    """The shape in which a block sees a tensor: a scalar is one element, text has its bytes as a last
    dimension.
    """
    width = kind.array_shape[len(kind.shape) :]
    return (*(kind.shape or (1,)), *width)


def _types(outputs: Sequence[TensorType]) -> Any:
    types = [relax.TensorType(block_shape(kind), kind.element.dtype) for kind in outputs]
    return types if len(types) > 1 else types[0]
