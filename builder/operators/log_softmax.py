"""x - log(sum of exp(x)) along the last axis.

int8: exponentials come from softmax's table, the logarithm of their sum is computed in fixed point with
5 integer bits.  The result's scale is 1/16 and its zero point 127.
Source: LogSoftmaxQuantized in tensorflow/lite/kernels/internal/reference/log_softmax.h and
PreprocessLogSoftmaxScalingExp in kernels/internal/quantization_util.cc.
float32: x - max - log(sum of exp(x - max)).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builder import tir
from builder.families.elementwise import rows_and_depth, same
from builder.fixed_point import input_radius, quantize_multiplier
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
from builder.operators.softmax import DIFFERENCE_INTEGER_BITS, exponential_table
from builder.target import Target

RESULT = (1 / 16, 127)
PARAMETERS = ("multiplier", "shift", "inverse_multiplier", "inverse_shift", "radius")


class LogSoftmax(Operator):
    name = "log_softmax"
    tflite = ("LOG_SOFTMAX",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "float32", inputs=1))
        node.require_output_shape(*node.input(0).shape)
        if dtype == "float32":
            return self.call([node.value(0)], {}, node.output().shape, dtype)
        if per_tensor(node.output()) != RESULT:
            raise Unsupported(
                f"a result with {node.output().quantization}; expected scale 1/16, zero point 127"
            )
        scale, _ = per_tensor(node.input(0))
        table = constant(exponential_table(1.0, scale))
        return self.call([node.value(0), table], _parameters(scale), node.output().shape, dtype)

    def lower(self, call: Any, target: Target) -> Kernel:
        matrix = rows_and_depth(shape_of(call))
        return Kernel(_int8(call, matrix) if dtype_of(call) == "int8" else _float32(matrix), call.args)


def _parameters(scale: float) -> dict[str, int | str]:
    fraction_bits = 31 - DIFFERENCE_INTEGER_BITS
    multiplier, shift = quantize_multiplier(min(scale * (1 << fraction_bits), (1 << 31) - 1.0))
    inverse = (1 << (31 - shift)) / multiplier
    if inverse >= 1.0:
        raise Unsupported(f"an input scale of {scale}: too small for fixed point")
    values = (multiplier, shift, *quantize_multiplier(inverse), input_radius(DIFFERENCE_INTEGER_BITS, shift))
    return dict(zip(PARAMETERS, values, strict=True))


def _int8(call: Any, matrix: Sequence[int]) -> Any:
    rows, depth = matrix
    parameters = [int(call.attrs[name]) for name in PARAMETERS]

    def body(x: Any, table: Any, y: Any) -> None:
        with tir.loop(rows) as row:
            arguments = (tir.address(x, row, 0), tir.address(table, 0), tir.address(y, row, 0), depth)
            tir.evaluate(tir.call("int32", "rune_log_softmax_i8", *arguments, *parameters))

    return tir.kernel([("x", matrix, "int8"), ("table", (256,), "int32"), ("y", matrix, "int8")], body)


def _float32(matrix: Sequence[int]) -> Any:
    rows, depth = matrix

    def body(x: Any, y: Any) -> None:
        with tir.loop(rows) as row:
            largest = tir.Cell("float32", x[row, 0])
            with tir.loop(depth) as i:
                largest.set(tir.maximum(largest.value, x[row, i]))
            total = tir.Cell("float32", 0.0)
            with tir.loop(depth) as i:
                total.add(tir.call("float32", "expf", x[row, i] - largest.value))
            logarithm = tir.Cell("float32", tir.call("float32", "logf", total.value))
            with tir.loop(depth) as i:
                tir.store(y, (row, i), x[row, i] - largest.value - logarithm.value)

    return tir.kernel([("x", matrix, "float32"), ("y", matrix, "float32")], body)
