"""Softmax along the last axis.

int8: exponentials come from a table of one entry for each distance from the largest input, in fixed point
with
0 integer bits; their sum has 12 integer bits; its reciprocal takes three Newton steps (`rune_reciprocal`).
The result's scale is 1/256 and its zero point -128.
Source: Softmax in tensorflow/lite/kernels/internal/reference/softmax.h, with the arithmetic of gemmlowp's
fixedpoint.h.
float32: exp(beta * (x - max)) / sum.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from builder import tir
from builder.fixed_point import exp_on_negative_values, quantize_multiplier, saturating_doubling_high_multiply
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
from container.abi import Profile

DIFFERENCE_INTEGER_BITS = 5
ACCUMULATOR_INTEGER_BITS = 12


class Softmax(Operator):
    name = "softmax"
    tflite = ("SOFTMAX",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(("int8", "int8"), ("float32", "float32"))
        node.require_output_shape(*node.input(0).shape)
        beta = float(node.options("SoftmaxOptions").Beta())
        if dtype == "float32":
            return self.call([node.value(0)], {"beta": float32_bits(beta)}, node.output().shape, dtype)
        if per_tensor(node.output()) != (1 / 256, -128):
            raise Unsupported(
                f"a result with {node.output().quantization}; expected scale 1/256, zero point -128"
            )
        return self.quantised(node.value(0), beta, per_tensor(node.input(0))[0])

    def quantised(self, x: Any, beta: float, scale: float) -> Any:
        """int8 softmax of int8 values of that scale."""
        table = constant(exponential_table(beta, scale))
        return self.call([x, table], {}, shape_of(x), "int8")

    def lower(self, call: Any, profile: Profile) -> Kernel:
        shape = shape_of(call)
        rows, depth = (math.prod(shape[:-1]), shape[-1]) if shape else (1, 1)
        make = _int8 if dtype_of(call) == "int8" else _float32
        return Kernel(make(call, rows, depth), call.args)


def _int8(call: Any, rows: int, depth: int) -> Any:
    def body(x: Any, table: Any, y: Any) -> None:
        with tir.loop(rows) as row:
            arguments = (tir.address(x, row, 0), tir.address(table, 0), tir.address(y, row, 0), depth)
            tir.evaluate(tir.call("int32", "rune_softmax_i8", *arguments))

    matrix = (rows, depth)
    return tir.kernel([("x", matrix, "int8"), ("table", (256,), "int32"), ("y", matrix, "int8")], body)


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
    radius = math.floor(((1 << DIFFERENCE_INTEGER_BITS) - 1) * (1 << fraction_bits) / (1 << shift))
    table = [
        exp_on_negative_values(
            saturating_doubling_high_multiply(-distance << shift, multiplier), DIFFERENCE_INTEGER_BITS
        )
        if distance <= radius
        else 0
        for distance in range(256)
    ]
    return np.array(table, "int32")
