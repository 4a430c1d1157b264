"""From whole operators to kernels: the Relax module of one profile, every call a `call_tir`.

A short list of named passes; what each does is in its name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tvm
from tvm import relax, s_tir

from builder.operators import by_name
from builder.operators.base import Operator
from container.abi import Profile

ALIASES = ("relax.reshape", "relax.expand_dims", "relax.squeeze", "relax.flatten")
"""Operators that change a shape only: their result lies where their input lies, and no code runs."""


def lower(module: Any, profile: Profile) -> Any:
    """The module with each operator as the kernel of `profile`, element-wise neighbours fused."""
    passes = tvm.ir.transform.Sequential(
        [
            relax.transform.LegalizeOps(legalizers(profile), skip_ops=list(ALIASES)),
            relax.transform.FoldConstant(),
            relax.transform.AnnotateTIROpPattern(),
            relax.transform.FuseOps(),
            relax.transform.FuseTIR(),
            relax.transform.DeadCodeElimination(),
        ]
    )
    return inline_fused(passes(module))


def legalizers(profile: Profile) -> dict[str, Callable[[Any, Any], Any]]:
    """For each of our operators, what puts its kernel in the place of a call."""
    return {name: _legalizer(operator, profile) for name, operator in by_name().items()}


def _legalizer(operator: Operator, profile: Profile) -> Callable[[Any, Any], Any]:
    def legalize(builder: Any, call: Any) -> Any:
        kernel = operator.lower(call, profile)
        function = kernel.function.with_attr("rune.macs", operator.macs(call))
        return relax.call_tir(builder.add_func(function, operator.name), list(kernel.arguments), call.ty)

    return legalize


def inline_fused(module: Any) -> Any:
    """Computes the intermediate values of fused functions where they are used, so that they need no memory."""
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
