"""From whole operators to kernels: the Relax module of one profile, every call a `call_tir`.

A short list of named passes; what each does is in its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tvm
import tvm_ffi
from tvm import relax, s_tir

from builder.operators import by_name
from builder.operators.base import Operator, is_constant
from builder.operators.rows import VIEWS
from builder.target import Target

BARRIER = "relax.builtin.stop_lift_params"
"""The identity, behind which TVM does not take a constant for one."""
ALIASES = ("relax.reshape", "relax.expand_dims", "relax.squeeze", "relax.flatten", BARRIER)
"""Operators that change a shape only: their result lies where their input lies, and no code runs."""
CODELESS = (*ALIASES, *VIEWS)
"""All operators of which no code comes."""

IN_PLACE = "rune.in_place"
"""Attribute of a kernel: numbers of an argument and of the result that may lie where it lies, in turn."""
OVERLAPS = "rune.overlaps"
"""Attribute of a kernel: the numbers of each `Overlap`, in turn."""


def lower(module: Any, target: Target) -> Any:
    """The module with each operator as its kernel for `target`, element-wise neighbours fused."""
    passes = [
        relax.transform.LegalizeOps(legalizers(target), skip_ops=list(CODELESS)),
        relax.transform.FoldConstant(),
        relax.transform.DeadCodeElimination(),
        relax.transform.AnnotateTIROpPattern(),
        fuse_operators,
        relax.transform.FuseTIR(),
        inline_fused,
    ]
    for rewrite in passes:
        module = rewrite(module)
    return module


def fuse_operators(module: Any) -> Any:
    """TVM's FuseOps, after which each fused operator keeps the name of the variable it computes.

    FuseOps calls its results `lv`, `lv1`...; but names tell stages apart.  The names that are gone are those
    of the last operators of the groups, in the order of the groups.
    """
    fused = relax.transform.FuseOps()(module)
    kept = {variable.name for function in _relax_functions(fused) for variable in _variables(function)}
    gone = iter([variable.name for variable in _variables(module["main"]) if variable.name not in kept])
    names = {
        variable: next(gone, variable.name)
        for variable, value in _bindings(fused["main"])
        if isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar)
    }
    fused["main"] = _renamed(fused["main"], names)
    return fused


def _renamed(function: Any, names: Mapping[Any, str]) -> Any:
    variables = {old: relax.DataflowVar(name, old.ty) for old, name in names.items()}
    return tvm_ffi.structural_map(function, [(relax.DataflowVar, lambda old: variables.get(old, old))])


def _relax_functions(module: Any) -> list[Any]:
    return [function for function in module.functions.values() if isinstance(function, relax.Function)]


def _variables(function: Any) -> list[Any]:
    return [variable for variable, _ in _bindings(function)]


def _bindings(function: Any) -> list[tuple[Any, Any]]:
    return [(binding.var, binding.value) for block in function.body.blocks for binding in block.bindings]


def legalizers(target: Target) -> dict[str, Callable[[Any, Any], Any]]:
    """For each of our operators, what puts its kernel in the place of a call."""
    return {name: _legalizer(operator, target) for name, operator in by_name().items()}


def _legalizer(operator: Operator, target: Target) -> Callable[[Any, Any], Any]:
    def legalize(builder: Any, call: Any) -> Any:
        kernel = operator.lower(call, target)
        function = kernel.function.with_attr("rune.macs", operator.macs(call))
        if kernel.in_place:
            function = function.with_attr(IN_PLACE, [number for pair in kernel.in_place for number in pair])
        if kernel.overlaps:
            numbers = [number for overlap in kernel.overlaps for number in overlap.numbers()]
            function = function.with_attr(OVERLAPS, numbers)
        types = list(call.ty.fields) if isinstance(call.ty, relax.TupleType) else call.ty
        arguments = _not_all_constant(builder, kernel.arguments)
        return relax.call_tir(builder.add_func(function, operator.name), arguments, types)

    return legalize


def _not_all_constant(builder: Any, arguments: Sequence[Any]) -> list[Any]:
    """A kernel's arguments, one behind a barrier where TVM would run the kernel to fold it.

    It cannot: the C functions that kernels call exist in containers only.
    """
    if not arguments or not all(is_constant(argument) for argument in arguments):
        return list(arguments)
    return [builder.emit(relax.op.builtin.stop_lift_params(arguments[0])), *arguments[1:]]


def inline_fused(module: Any) -> Any:
    """Computes the intermediate values of fused functions where they are used, without memory."""
    functions = {
        variable: _inline(function) if _is_scheduled(function) else function
        for variable, function in module.functions.items()
    }
    return tvm.IRModule(functions, attrs=module.attrs)


def _is_scheduled(function: Any) -> bool:
    return isinstance(function, tvm.tirx.PrimFunc) and bool(function.attrs.get("tirx.noalias", False))


def _inline(function: Any) -> Any:
    schedule = s_tir.Schedule(tvm.IRModule({"main": function.with_attr("global_symbol", "main")}))
    for block in schedule.get_child_blocks(schedule.get_sblock("root")):
        try:
            schedule.compute_inline(block)
        except s_tir.ScheduleError:
            continue  # a reduction or the result itself stays
    return schedule.mod["main"].without_attr("global_symbol")
