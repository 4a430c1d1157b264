"""The quantisations that remain where a model enters and leaves integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from builder.operators import by_name
from builder.operators.base import constant, constant_value, is_constant
from builder.passes.quantization import affine
from builder.passes.rewriting import Rewriter, is_call


def dequantized_constant(rewriter: Rewriter, call: Any) -> Any:
    """Quantised weights of an operator that stays in float are float weights."""
    found = affine(call) if is_call(call, "relax.dequantize") else None
    if found is None or not is_constant(call.args[0]):
        return None
    integers = constant_value(call.args[0])
    along = (
        [-1 if axis == found.axis else 1 for axis in range(integers.ndim)] if found.axis is not None else ()
    )
    scales, zeros = (np.array(values).reshape(along) for values in (found.scales, found.zeros))
    return constant((integers - zeros.astype("int64")).astype("float32") * scales.astype("float32"))


def border_operator(rewriter: Rewriter, call: Any) -> Any:
    """Between float32 and integers of a whole tensor; ONNX rounds ties to even."""
    found = affine(call) if is_call(call, "relax.quantize", "relax.dequantize") else None
    if found is None or found.axis is not None:
        return None
    operators: Any = by_name()
    if call.op.name == "relax.dequantize":
        expression = operators["rune.dequantize"].from_integers(call.args[0], found.scale, found.zero)
    else:
        quantize = operators["rune.quantize"]
        expression = quantize.from_float(call.args[0], found.scale, found.zero, found.dtype, ties="even")
    return rewriter.emit(expression)


BORDER_RULES = (dequantized_constant, border_operator)
