"""x / sqrt(sum of x^2) along the last axis.

int8: the inverse square root in fixed point, by five Newton steps.  The result's scale is 1/128 and its zero
point 0.
Source: tensorflow/lite/kernels/internal/reference/integer_ops/l2normalization.h and micro/kernels/l2norm.cc.
float32: x / max(sqrt(sum), 1e-6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builder import tir
from builder.families.elementwise import node_activation, rows_and_depth, same
from builder.operators.base import Kernel, Node, Operator, Unsupported, dtype_of, per_tensor, shape_of
from builder.target import Target

RESULT = (1 / 128, 0)
SMALLEST_NORM = 1e-6


class L2Normalization(Operator):
    name = "l2_normalization"
    tflite = ("L2_NORMALIZATION",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "float32", inputs=1))
        node.require_output_shape(*node.input(0).shape)
        if node_activation(node, "L2NormOptions") != "NONE":
            raise Unsupported("it has a fused activation; expected none")
        attributes: dict[str, int | str] = {}
        if dtype == "int8":
            if per_tensor(node.output()) != RESULT:
                raise Unsupported(
                    f"a result with {node.output().quantization}; expected scale 1/128, zero point 0"
                )
            attributes = {"zero": per_tensor(node.input(0))[1]}
        return self.call([node.value(0)], attributes, node.output().shape, dtype)

    def lower(self, call: Any, target: Target) -> Kernel:
        matrix = rows_and_depth(shape_of(call))
        return Kernel(_int8(call, matrix) if dtype_of(call) == "int8" else _float32(matrix), call.args)


def _int8(call: Any, matrix: Sequence[int]) -> Any:
    rows, depth = matrix

    def body(x: Any, y: Any) -> None:
        with tir.loop(rows) as row:
            arguments = (tir.address(x, row, 0), tir.address(y, row, 0), depth, int(call.attrs["zero"]))
            tir.evaluate(tir.call("int32", "rune_l2_normalize_i8", *arguments))

    return tir.kernel([("x", matrix, "int8"), ("y", matrix, "int8")], body)


def _float32(matrix: Sequence[int]) -> Any:
    rows, depth = matrix

    def body(x: Any, y: Any) -> None:
        with tir.loop(rows) as row:
            total = tir.Cell("float32", 0.0)
            with tir.loop(depth) as i:
                total.add(x[row, i] * x[row, i])
            norm = tir.call("float32", "sqrtf", total.value)
            total.set(tir.maximum(norm, tir.literal("float32", SMALLEST_NORM)))
            with tir.loop(depth) as i:
                tir.store(y, (row, i), x[row, i] / total.value)

    return tir.kernel([("x", matrix, "float32"), ("y", matrix, "float32")], body)
