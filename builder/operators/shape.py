"""What is known of tensors when building: their shapes, as constants that other operators can read.

Source: tensorflow/lite/micro/kernels/shape.cc and broadcast_args.cc.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from builder.families.data_movement import DTYPES
from builder.families.elementwise import broadcast_shapes
from builder.operators.base import Node, Operator, Unsupported, constant

INDICES = ("int32", "int64")
COUNTED = tuple((dtype, index) for dtype in sorted(DTYPES) for index in INDICES)


class Shape(Operator):
    """The sizes of a tensor's dimensions."""

    name = "shape"
    tflite = ("SHAPE",)
    combinations = COUNTED

    def read_tflite(self, node: Node) -> Any:
        return integers(node, node.input(0).shape)


class Rank(Operator):
    """The number of a tensor's dimensions."""

    name = "rank"
    tflite = ("RANK",)
    combinations = COUNTED

    def read_tflite(self, node: Node) -> Any:
        return integers(node, len(node.input(0).shape))


class BroadcastArguments(Operator):
    """The shape that two shapes broadcast to."""

    name = "broadcast_args"
    tflite = ("BROADCAST_ARGS",)
    combinations = tuple((dtype,) * 3 for dtype in INDICES)

    def read_tflite(self, node: Node) -> Any:
        return integers(node, broadcast_shapes(node.integers(0), node.integers(1)))


def integers(node: Node, values: int | tuple[int, ...]) -> Any:
    """The constant result of a node, int32 or int64.  Raises Unsupported."""
    dtype = node.output().dtype
    if dtype not in INDICES:
        raise Unsupported(f"its output {node.output().name!r} is {dtype}; expected int32 or int64")
    array = np.array(values, dtype)
    node.require_output_shape(*array.shape)
    return constant(array)
