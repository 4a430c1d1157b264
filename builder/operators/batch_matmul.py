"""Products of the matrices in the last two dimensions, for each of the others, which broadcast; `adj_x` and
`adj_y` transpose the matrices first.

int8: clamp(M * sum((a - a_zero) * (b - b_zero)) + y_zero), M = scale_a * scale_b / scale_y, rounded twice.
int16: the same around 0; sums have 64 bits and are rounded once.
Source: tensorflow/lite/kernels/internal/reference/batch_matmul.h; micro/kernels/batch_matmul.cc.
float32: sum(a * b).
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.data_movement import view
from builder.families.elementwise import broadcast, broadcast_shapes, require_zero_point_0, same
from builder.fixed_point import INTEGER_RANGE, quantize_multiplier
from builder.operators.base import Kernel, Node, Operator, Unsupported, dtype_of, per_tensor, shape_of
from builder.operators.transpose import Transpose
from builder.quantized import requantized
from builder.target import Target


class BatchMatMul(Operator):
    """Takes both operands with the dimension that is summed over last, so that it lies side by side."""

    name = "batch_matmul"
    tflite = ("BATCH_MATMUL",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _, _ = node.require_dtype(*same("int8", "int16", "float32"))
        options = node.options("BatchMatMulOptions")
        rank = max(len(node.input(0).shape), len(node.input(1).shape))
        if min(len(node.input(0).shape), len(node.input(1).shape)) < 2:
            raise Unsupported("an input with fewer than two dimensions")
        a = _matrices(node, 0, rank, transposed=options.AdjX())
        b = _matrices(node, 1, rank, transposed=not options.AdjY())
        (*outer_a, rows, depth), (*outer_b, columns, other) = shape_of(a), shape_of(b)
        if depth != other:
            raise Unsupported(f"{list(node.input(0).shape)} times {list(node.input(1).shape)}")
        shape = (*broadcast_shapes(outer_a, outer_b), rows, columns)
        node.require_output_shape(*shape)
        require_zero_point_0(node, dtype, 2)
        return self.call([a, b], {} if dtype == "float32" else _quantised(node, dtype), shape, dtype)

    def macs(self, call: Any) -> int:
        total = shape_of(call.args[0])[-1]
        for size in shape_of(call):
            total *= size
        return total

    def lower(self, call: Any, target: Target) -> Kernel:
        dtype, depth = dtype_of(call), shape_of(call.args[0])[-1]
        shapes = [shape_of(argument) for argument in call.args]

        def body(a: Any, b: Any, y: Any) -> None:
            with tir.loops(*shape_of(call)) as (*outer, row, column):
                left = tir.address(a, *broadcast(shapes[0][:-2], outer), row, 0)
                right = tir.address(b, *broadcast(shapes[1][:-2], outer), column, 0)
                tir.store(y, (*outer, row, column), _element(call, left, right, depth))

        buffers = [(name, shape, dtype) for name, shape in zip("aby", [*shapes, shape_of(call)], strict=True)]
        return Kernel(tir.kernel(buffers, body), call.args)


def _matrices(node: Node, position: int, rank: int, *, transposed: bool) -> Any:
    """An operand with `rank` dimensions, the last two swapped if asked for, bound."""
    shape = node.input(position).shape
    x = view(node, node.value(position), (1,) * (rank - len(shape)) + shape)
    return Transpose().permute(node, x, [*range(rank - 2), rank - 1, rank - 2]) if transposed else x


def _quantised(node: Node, dtype: str) -> dict[str, int | str]:
    (scale_a, zero_a), (scale_b, zero_b) = per_tensor(node.input(0)), per_tensor(node.input(1))
    scale, zero = per_tensor(node.output())
    multiplier, shift = quantize_multiplier(scale_a * scale_b / scale)
    low, high = INTEGER_RANGE[dtype]
    return {
        "zero_a": zero_a,
        "zero_b": zero_b,
        "multiplier": multiplier,
        "shift": shift,
        "output_zero": zero,
        "low": low,
        "high": high,
    }


def _element(call: Any, left: Any, right: Any, depth: int) -> Any:
    """The product of a row and a column from their addresses, in the call's dtype."""
    dtype = dtype_of(call)
    if dtype == "float32":
        return tir.call("float32", "rune_dot_f32", left, right, depth)
    if dtype == "int16":
        total = tir.Cell("int64", tir.call("int64", "rune_dot_i16_i16", left, right, depth))
    else:
        offsets = (-int(call.attrs["zero_a"]), -int(call.attrs["zero_b"]))
        total = tir.Cell("int32", tir.call("int32", "rune_dot_i8_i8", left, right, depth, *offsets))
    parameters = (int(call.attrs["multiplier"]), int(call.attrs["shift"]))
    return requantized(total.value, *parameters, call.attrs, dtype)
