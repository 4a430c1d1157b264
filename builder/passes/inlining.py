"""A function of one Relax module into the function that is being built of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tvm
from tvm import relax


def inline_function(emit: Callable[[Any, str], Any], module: Any, inputs: Sequence[Any]) -> list[Any]:
    """Emits the bindings of `main` on `inputs`, `emit(expression, name)` binding each; returns its results.

    The TIR functions that it calls go into the module of the current BlockBuilder.
    """
    main = module["main"]
    inliner = _Inliner(module, dict(zip(main.params, inputs, strict=True)))
    position = 0
    for block in main.body.blocks:
        for binding in block.bindings:
            value = inliner.substituted(binding.value)
            if isinstance(value, (relax.Call, relax.TupleGetItem)):
                value = emit(value, f"{_name(value)}_{position}")
                position += 1
            inliner.values[binding.var] = value
    result = inliner.substituted(main.body.body)
    return list(result.fields) if isinstance(result, relax.Tuple) else [result]


class _Inliner:
    def __init__(self, module: Any, values: dict[Any, Any]) -> None:
        self._module = module
        self._functions: dict[Any, Any] = {}
        self.values = values

    def substituted(self, expression: Any) -> Any:
        if isinstance(expression, tvm.ir.GlobalVar):
            return self._function(expression)
        if isinstance(expression, tvm.ir.Var):
            return self.values[expression]
        if isinstance(expression, relax.Tuple):
            return relax.Tuple([self.substituted(field) for field in expression.fields])
        if isinstance(expression, relax.TupleGetItem):
            return relax.TupleGetItem(self.substituted(expression.tuple_value), expression.index)
        if isinstance(expression, relax.Call):
            arguments = [self.substituted(argument) for argument in expression.args]
            return relax.Call(
                expression.op, arguments, expression.attrs, expression.ty_args, ret_ty=expression.ty
            )
        return expression

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
