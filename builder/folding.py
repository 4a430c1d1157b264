"""Calls of operators whose arguments are all constants, as the constants that they come to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tvm import relax

from builder.operators import by_name
from builder.operators.base import constant, constant_value, dtype_of, is_constant, shape_of

MAXIMUM_BYTES = 1 << 24
"""A larger result is computed when running: what a few values describe should not fill the container."""


def folded(expression: Any) -> Any:
    """The constant that a call or a view comes to; None where it does not, or only running it can tell."""
    if not isinstance(expression, relax.Call) or not expression.args:
        return None
    if expression.op.name == "relax.reshape":
        return _reshaped(expression)
    operator = by_name().get(expression.op.name)
    if operator is None or not all(map(is_constant, expression.args)) or _is_large(expression):
        return None
    result = operator.evaluate(expression, [constant_value(argument) for argument in expression.args])
    return None if result is None else constant(result.reshape(shape_of(expression)))


def _reshaped(call: Any) -> Any:
    source, shape = call.args
    if not is_constant(source):
        return None
    return constant(constant_value(source).reshape([int(size) for size in shape.values]))


def _is_large(call: Any) -> bool:
    if not hasattr(call.ty, "dtype"):
        return True  # several results
    return math.prod(shape_of(call)) * np.dtype(dtype_of(call)).itemsize > MAXIMUM_BYTES
