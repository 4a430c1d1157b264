"""ONNX's operators on integers (`QLinearConv`...) as float operators between (de)quantisations.

Rewrites then make integer operators of them, as of models that spell the pairs out.
Source: QLinearConv and QLinearMatMul of ONNX; ContribOperators.md of onnxruntime for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import relax

from builder.operators.base import Unsupported, constant, constant_value, dtype_of, is_constant

UNARY = {
    "QLinearAveragePool": "AveragePool",
    "QLinearGlobalAveragePool": "GlobalAveragePool",
    "QLinearLeakyRelu": "LeakyRelu",
    "QLinearSigmoid": "Sigmoid",
    "QLinearSoftmax": "Softmax",
}
BINARY = {"QLinearAdd": "Add", "QLinearMatMul": "MatMul", "QLinearMul": "Mul"}
OTHERS = ("QLinearConv", "QLinearConcat", "QGemm")
INTEGER_OPERATORS = (*UNARY, *BINARY, *OTHERS)


@dataclass(frozen=True)
class FloatForm:
    """A float operator on dequantised operands, and the scale and zero point of its result."""

    operator: str
    operands: Sequence[Any]
    scale: Any
    zero: Any


def converted(
    operator: str,
    inputs: Sequence[Any],
    attrs: Mapping[str, Any],
    convert: Callable[[str, Sequence[Any]], Any],
) -> Any:
    """The Relax expression; `convert` reads the float operator.  Raises Unsupported."""
    if attrs.get("channels_last", 0):
        raise Unsupported("of channels-last form only the channels-first one is supported")
    form = _float_form(operator, list(inputs))
    real = convert(form.operator, form.operands)
    zero = form.zero if form.zero is not None else relax.const(0, "uint8")
    return relax.op.quantize(real, form.scale, zero, axis=0, out_dtype=dtype_of(zero))


def _float_form(operator: str, inputs: list[Any]) -> FloatForm:
    given = [*inputs, *[None] * (9 - len(inputs))]
    if operator in UNARY:
        return FloatForm(UNARY[operator], [_real(*given[:3])], *given[3:5])
    if operator in BINARY:
        columns = -1 if operator == "QLinearMatMul" else 0
        second = _real(given[3], given[4], given[5], columns)
        return FloatForm(BINARY[operator], [_real(*given[:3]), second], *given[6:8])
    if operator == "QLinearConcat":
        parts = [_real(*inputs[start : start + 3]) for start in range(2, len(inputs), 3)]
        return FloatForm("Concat", parts, *given[:2])
    operands = [_real(*given[:3]), _real(*given[3:6])]
    bias, result = (given[8], given[6:8]) if operator == "QLinearConv" else (given[6], given[7:9])
    operands.append(None if bias is None else _bias(bias, given[1], given[4]))
    return FloatForm("Conv" if operator == "QLinearConv" else "Gemm", operands, *result)


def _real(integers: Any, scale: Any, zero: Any, axis: int = 0) -> Any:
    """Where there are several scales they belong to an axis, by default the filters of a convolution."""
    zero = zero if zero is not None else relax.const(0, dtype_of(integers))
    return relax.op.dequantize(integers, scale, zero, axis=axis, out_dtype="float32")


def _bias(bias: Any, input_scale: Any, weight_scale: Any) -> Any:
    """Its steps are those of the accumulator."""
    if not is_constant(input_scale) or not is_constant(weight_scale):
        raise Unsupported("its scales are computed when running; constants are expected")
    scales = np.float32(constant_value(input_scale).reshape(())) * constant_value(weight_scale)
    return _real(bias, constant(scales.astype("float32")), constant(np.zeros(scales.shape, "int32")))
