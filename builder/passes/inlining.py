"""A function of one Relax module into the function that is being built of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tvm
from tvm import relax

from builder.passes.rewriting import substituted


def inline_function(emit: Callable[[Any, str], Any], module: Any, inputs: Sequence[Any]) -> list[Any]:
    """Emits the bindings of `main` on `inputs`, `emit(expression, name)` binding each; returns its results.

    The TIR functions that it calls go into the module of the current BlockBuilder.
    """
    main = module["main"]
    inliner = _Inliner(module, dict(zip(main.params, inputs, strict=True)))
    position = 0
    for block in main.body.blocks:
        for binding in block.bindings:
            value = substituted(binding.value, inliner.value)
            if isinstance(value, (relax.Call, relax.TupleGetItem)):
                value = emit(value, f"{_name(value)}_{position}")
                position += 1
            inliner.values[binding.var] = value
    result = substituted(main.body.body, inliner.value)
    return list(result.fields) if isinstance(result, relax.Tuple) else [result]


class _Inliner:
    def __init__(self, module: Any, values: dict[Any, Any]) -> None:
        self._module = module
        self._functions: dict[Any, Any] = {}
        self.values = values

    def value(self, variable: Any) -> Any:
        """What a variable of the module is in the function that is being built."""
        return self._function(variable) if isinstance(variable, tvm.ir.GlobalVar) else self.values[variable]

    def _function(self, variable: Any) -> Any:
        if variable not in self._functions:
            builder = relax.BlockBuilder.current()
            self._functions[variable] = builder.add_func(self._module[variable], variable.name_hint)
        return self._functions[variable]


def _name(expression: Any) -> str:
    """What the memory plan calls it: the operator, or the TIR function."""
    if isinstance(expression, relax.TupleGetItem):
        return "item"
    if expression.op.name == "relax.call_tir":
        return str(expression.args[0].name_hint)
    return str(expression.op.name).rsplit(".", 1)[-1]
