"""Whether TVM has kernels, in plain C, for the operators of a graph that are none of ours.

Some of TVM's operators have no kernel, some call its runtime, some work for a few dtypes only; finding out
here, operator by operator, lets an error say which.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import relax

from builder.codegen import generate
from builder.mathlib import unknown_functions
from builder.names import kernel_name
from builder.passes.faults import summary
from builder.passes.rewriting import is_call

ALIASES = ("relax.reshape",)
"""Operators that need no kernel."""


@dataclass(frozen=True)
class MissingKernel:
    variable: str
    """What the operator's result is bound to."""
    operator: str
    reason: str


def missing_kernels(module: Any) -> Iterator[MissingKernel]:
    """The calls in `main` that cannot become C."""
    tried: dict[str, str | None] = {}
    for block in module["main"].body.blocks:
        for binding in block.bindings:
            call = binding.value
            if (
                not isinstance(call, relax.Call)
                or is_call(call, *ALIASES)
                or call.op.name.startswith("rune.")
            ):
                continue
            key = f"{call.op.name} {call.attrs} {[_kind(argument) for argument in call.args]}"
            if key not in tried:
                tried[key] = _fault(module, call)
            reason = tried[key]
            if reason is not None:
                yield MissingKernel(binding.var.name, str(call.op.name).removeprefix("relax."), reason)


def _kind(argument: Any) -> str:
    if is_call(argument, "relax.call_tir") or not isinstance(argument, (tvm.ir.Var, tvm.ir.GenericConst)):
        return str(argument)
    return str(argument.ty)


def _fault(module: Any, call: Any) -> str | None:
    """Why the call alone cannot be compiled, or None."""
    try:
        functions = _kernels(module, call)
        sources = [function.source for function in generate(functions).values()]
    except Exception as fault:  # TVM raises of every kind
        return summary(fault)
    if not functions:
        return "it has no kernel"
    unknown = unknown_functions("\n".join(sources))
    return f"its kernel needs `{unknown[0]}`, which containers do not have" if unknown else None


def _kernels(module: Any, call: Any) -> dict[str, Any]:
    """The TIR functions of a module with this call alone, on variables of the types of its arguments."""
    parameters: list[Any] = []

    def variable(argument: Any) -> Any:
        if isinstance(argument, relax.Tuple):
            return relax.Tuple([variable(field) for field in argument.fields])
        if isinstance(argument, tvm.ir.Var) and isinstance(argument.ty, relax.TensorType):
            parameters.append(relax.Var(f"x{len(parameters)}", argument.ty))
            return parameters[-1]
        return argument

    alone = relax.Call(call.op, [variable(a) for a in call.args], call.attrs, call.ty_args, ret_ty=call.ty)
    builder = relax.BlockBuilder()
    functions = {v: f for v, f in module.functions.items() if isinstance(f, tvm.tirx.PrimFunc)}
    with builder.function("main", parameters):
        with builder.dataflow():
            result = builder.emit_output(alone)
        builder.emit_func_output(result)
    single = tvm.IRModule({**functions, "main": builder.get()["main"]})
    lowered = relax.transform.DeadCodeElimination()(relax.transform.LegalizeOps()(single))
    return {
        kernel_name(variable.name_hint): function
        for variable, function in lowered.functions.items()
        if isinstance(function, tvm.tirx.PrimFunc)
    }
