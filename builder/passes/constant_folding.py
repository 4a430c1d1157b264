"""Operators whose arguments are all constants become constants.

Each operator says itself what it computes (`Operator.evaluate`), to the bit; what it cannot tell stays and is
computed when running.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from builder.operators import by_name
from builder.operators.base import constant, constant_value, dtype_of, is_constant, shape_of
from builder.passes.rewriting import Rewriter, is_call, rewrite

MAXIMUM_BYTES = 1 << 24
"""A larger result is computed when running: what a few values describe should not fill the container."""


def fold_constants(module: Any) -> Any:
    """The module with what can be computed when building as constants."""
    return rewrite(module, (fold_operator, fold_view))


def fold_operator(rewriter: Rewriter, call: Any) -> Any:
    operator = by_name().get(call.op.name) if is_call(call, *by_name()) else None
    if operator is None or not call.args or not all(map(is_constant, call.args)) or _is_large(call):
        return None
    result = operator.evaluate(call, [constant_value(argument) for argument in call.args])
    return None if result is None else constant(result.reshape(shape_of(call)))


def fold_view(rewriter: Rewriter, call: Any) -> Any:
    if not is_call(call, "relax.reshape") or not is_constant(call.args[0]):
        return None
    return constant(constant_value(call.args[0]).reshape(shape_of(call)))


def _is_large(call: Any) -> bool:
    if not hasattr(call.ty, "dtype"):
        return True  # several results
    return math.prod(shape_of(call)) * np.dtype(dtype_of(call)).itemsize > MAXIMUM_BYTES
