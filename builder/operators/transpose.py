"""The dimensions of a tensor in another order: dimension k of the result is `permutation[k]` of the input.

Source: tensorflow/lite/kernels/internal/reference/transpose.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builder.families.data_movement import Box, Copy, Movement, require_moved_dtype
from builder.operators.base import Node, Unsupported, shape_of


class Transpose(Movement):
    name = "transpose"
    tflite = ("TRANSPOSE",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        shape, axes = node.input(0).shape, node.integers(1)
        rank = len(shape)
        if any(not -rank <= axis < rank for axis in axes) or len({axis % rank for axis in axes}) != rank:
            raise Unsupported(f"permutation {axes} of a tensor with {rank} dimensions")
        node.require_output_shape(*(shape[axis] for axis in axes))
        return self.permute(node, node.value(0), [axis % rank for axis in axes])

    def permute(self, node: Node, x: Any, axes: Sequence[int]) -> Any:
        """The dimensions of a tensor in another order, bound."""
        shape = shape_of(x)
        return self.move(node, [x], {"axes": list(axes)}, [shape[axis] for axis in axes])

    def copies(self, call: Any) -> list[Copy]:
        axes = [int(axis) for axis in call.attrs["axes"]]
        return [Copy(0, Box.whole(shape_of(call.args[0])).permuted(axes), Box.whole(shape_of(call)))]
