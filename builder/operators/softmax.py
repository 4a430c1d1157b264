"""Softmax along the last axis.

int8: exponentials come from a table of one entry for each distance from the largest input, in fixed point
with 0 integer bits; their sum has 12 integer bits; its reciprocal takes three Newton steps
(`rune_reciprocal`).  The result's scale is 1/256 and its zero point -128; or 1/65536 and -32768 as int16.
int16: exponentials are interpolated in a table of 513 points over [-10, 0], and the reciprocal of their sum
in one over [0, 1]; the result's scale is 1/32768.
Source: Softmax and SoftmaxInt16 in tensorflow/lite/kernels/internal/reference/softmax.h, with the arithmetic
of gemmlowp's fixedpoint.h.
float32: exp(beta * (x - max)) / sum.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from builder import tir
from builder.fixed_point import (
    LUT_POINTS,
    exp_on_negative_values,
    input_radius,
    int16_lut,
    quantize_multiplier,
    saturating_doubling_high_multiply,
)
from builder.operators.base import (
    Kernel,
    Node,
    Operator,
    Unsupported,
    constant,
    dtype_of,
    per_tensor,
    shape_of,
)
from builder.operators.quantize import float32_bits
from builder.target import Target

DIFFERENCE_INTEGER_BITS = 5

RESULTS = {
    ("int8", "int8"): (1 / 256, -128),
    ("int8", "int16"): (1 / 65536, -32768),
    ("int16", "int16"): (1 / 32768, 0),
}
"""Scale and zero point of the result, by the dtypes of input and result."""


class Softmax(Operator):
    name = "softmax"
    tflite = ("SOFTMAX",)

    def read_tflite(self, node: Node) -> Any:
        dtype, result = node.require_dtype(
            ("int8", "int8"), ("int8", "int16"), ("int16", "int16"), ("float32", "float32")
        )
        node.require_output_shape(*node.input(0).shape)
        beta = float(node.options("SoftmaxOptions").Beta())
        if dtype == "float32":
            return self.call([node.value(0)], {"beta": float32_bits(beta)}, node.output().shape, dtype)
        _check_result(node, *RESULTS[dtype, result])
        scale, _ = per_tensor(node.input(0))
        if dtype == "int16":
            return self.call(
                [node.value(0), *int16_tables()], int16_scaling(beta, scale), node.output().shape, "int16"
            )
        return self.quantised(node.value(0), beta, scale, result)

    def quantised(self, x: Any, beta: float, scale: float, dtype: str = "int8") -> Any:
        """Softmax of int8 values of that scale, as int8 or int16."""
        table = constant(exponential_table(beta, scale))
        return self.call([x, table], {}, shape_of(x), dtype)

    def lower(self, call: Any, target: Target) -> Kernel:
        shape = shape_of(call)
        rows, depth = (math.prod(shape[:-1]), shape[-1]) if shape else (1, 1)
        make = {"int8": _int8, "int16": _int16, "float32": _float32}[dtype_of(call.args[0])]
        return Kernel(make(call, rows, depth), call.args)


def _check_result(node: Node, scale: float, zero: int) -> None:
    """Raises Unsupported unless the result is quantised so; an int16 scale may be a thousandth off."""
    found = per_tensor(node.output())
    tolerance = scale / 1000 if node.output().dtype == "int16" else 0.0
    if abs(found[0] - scale) > tolerance or found[1] != zero:
        expected = f"scale {scale:g}, zero point {zero}"
        raise Unsupported(f"a result with {node.output().quantization}; expected {expected}")


def _int8(call: Any, rows: int, depth: int) -> Any:
    result = dtype_of(call)
    function = {"int8": "rune_softmax_i8", "int16": "rune_softmax_i8_i16"}[result]

    def body(x: Any, table: Any, y: Any) -> None:
        with tir.loop(rows) as row:
            arguments = (tir.address(x, row, 0), tir.address(table, 0), tir.address(y, row, 0), depth)
            tir.evaluate(tir.call("int32", function, *arguments))

    matrix = (rows, depth)
    return tir.kernel([("x", matrix, "int8"), ("table", (256,), "int32"), ("y", matrix, result)], body)


def _int16(call: Any, rows: int, depth: int) -> Any:
    scaling = (int(call.attrs["multiplier"]), int(call.attrs["shift"]))

    def body(x: Any, exponentials: Any, reciprocals: Any, y: Any) -> None:
        with tir.loop(rows) as row:
            tables = (tir.address(exponentials, 0), tir.address(reciprocals, 0))
            arguments = (tir.address(x, row, 0), *tables, tir.address(y, row, 0), depth, *scaling)
            tir.evaluate(tir.call("int32", "rune_softmax_i16", *arguments))

    matrix, table = (rows, depth), (LUT_POINTS,)
    return tir.kernel(
        [("x", matrix, "int16"), ("e", table, "int16"), ("r", table, "int16"), ("y", matrix, "int16")], body
    )


def _float32(call: Any, rows: int, depth: int) -> Any:
    beta = int(call.attrs["beta"])

    def body(x: Any, y: Any) -> None:
        with tir.loop(rows) as row:
            largest = tir.Cell("float32", x[row, 0])
            with tir.loop(depth) as i:
                largest.set(tir.maximum(largest.value, x[row, i]))
            total = tir.Cell("float32", 0.0)
            with tir.loop(depth) as i:
                scaled = (x[row, i] - largest.value) * tir.float32_literal(beta)
                tir.store(y, (row, i), tir.call("float32", "expf", scaled))
                total.add(y[row, i])
            with tir.loop(depth) as i:
                tir.store(y, (row, i), y[row, i] / total.value)

    return tir.kernel([("x", (rows, depth), "float32"), ("y", (rows, depth), "float32")], body)


def exponential_table(beta: float, scale: float) -> np.ndarray[Any, Any]:
    """int32[256]: exp(-beta * scale * d) for d = 0..255 as fixed point with 31 fractional bits; 0 where too
    small.

    Source of the scaling: PreprocessSoftmaxScaling and CalculateInputRadius in
    tensorflow/lite/kernels/internal/quantization_util.cc.
    """
    fraction_bits = 31 - DIFFERENCE_INTEGER_BITS
    multiplier, shift = quantize_multiplier(min(beta * scale * (1 << fraction_bits), (1 << 31) - 1.0))
    if shift < 0:
        raise Unsupported(f"an input scale of {scale} with beta {beta}: too small for fixed point")
    radius = input_radius(DIFFERENCE_INTEGER_BITS, shift)
    table = [
        exp_on_negative_values(
            saturating_doubling_high_multiply(-distance << shift, multiplier), DIFFERENCE_INTEGER_BITS
        )
        if distance <= radius
        else 0
        for distance in range(256)
    ]
    return np.array(table, "int32")


def int16_tables() -> list[Any]:
    """exp(x) over [-10, 0] and 1 / (1 + x) over [0, 1], the domains as int16 from end to end."""
    exponentials = int16_lut(math.exp, (-10.0, 0.0))
    reciprocals = int16_lut(lambda x: 1.0 / (1.0 + x), (0.0, 1.0))
    return [constant(np.array(table, "int16")) for table in (exponentials, reciprocals)]


def int16_scaling(beta: float, scale: float) -> dict[str, int | str]:
    """Brings differences of int16 inputs to the domain of the table of exponentials."""
    multiplier, shift = quantize_multiplier(scale * beta / (10.0 / 65535.0))
    return {"multiplier": multiplier, "shift": shift}
