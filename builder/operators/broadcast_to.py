"""A tensor repeated: along dimensions of size 1 (BROADCAST_TO), as a whole (TILE), one value or 0 (FILL and
ZEROS_LIKE; a quantised ZEROS_LIKE is 0 too, whatever its zero point).

Source: broadcast_to.h and fill.h of tensorflow/lite/kernels/internal/reference, kernels/tile.cc, and
micro/kernels/zeros_like.cc.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from builder.families.data_movement import Box, Copy, Movement, require_moved_dtype, view
from builder.operators.base import Node, Operator, Unsupported, constant, shape_of


class BroadcastTo(Movement):
    name = "broadcast_to"
    tflite = ("BROADCAST_TO",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        source, target = node.input(0).shape, node.integers(1)
        full = (1,) * (len(target) - len(source)) + source
        if len(full) != len(target) or any(
            size not in (1, wanted) for size, wanted in zip(full, target, strict=True)
        ):
            raise Unsupported(f"{list(source)} does not broadcast to {target}")
        node.require_output_shape(*target)
        return self.repeat(node, view(node, node.value(0), full), target)

    def repeat(self, node: Node, x: Any, shape: Any) -> Any:
        """A tensor of the rank of `shape` repeated along its dimensions of size 1, bound."""
        return self.move(node, [x], {}, shape)

    def copies(self, call: Any) -> list[Copy]:
        read = Box.whole(shape_of(call.args[0]))
        for axis, (size, wanted) in enumerate(zip(read.shape, shape_of(call), strict=True)):
            read = read.part(axis, 0, wanted, 1 if size == wanted else 0)
        return [Copy(0, read, Box.whole(shape_of(call)))]


class Tile(Operator):
    name = "tile"
    tflite = ("TILE",)

    def read_tflite(self, node: Node) -> Any:
        """Of each dimension, one of size 1 before it is repeated."""
        require_moved_dtype(node)
        shape, times = node.input(0).shape, node.integers(1)
        if len(times) != len(shape) or min(times, default=0) < 0:
            raise Unsupported(f"multiples {times} of a tensor with {len(shape)} dimensions")
        result = [size * count for size, count in zip(shape, times, strict=True)]
        node.require_output_shape(*result)
        x = view(node, node.value(0), [part for size in shape for part in (1, size)])
        pairs = [part for pair in zip(times, shape, strict=True) for part in pair]
        return view(node, BroadcastTo().repeat(node, x, pairs), result)


class Fill(Operator):
    name = "fill"
    tflite = ("FILL",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node, 1)
        shape = node.integers(0)
        if node.input(1).shape not in ((), (1,)):
            raise Unsupported(f"a value of the shape {list(node.input(1).shape)}; one number is expected")
        node.require_output_shape(*shape)
        return BroadcastTo().repeat(node, view(node, node.value(1), [1] * len(shape)), shape)


class ZerosLike(Operator):
    name = "zeros_like"
    tflite = ("ZEROS_LIKE",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        shape = node.input(0).shape
        node.require_output_shape(*shape)
        zero = constant(np.zeros((1,) * len(shape), node.output().dtype))
        return BroadcastTo().repeat(node, zero, shape)
