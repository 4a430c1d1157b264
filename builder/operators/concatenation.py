"""Tensors put one after the other along an axis, an existing one or, for PACK, a new one.

The elements are moved as they are: as in TensorFlow Lite Micro, int8 of other scales are not rescaled.  Older
engines, which alone take uint8, rescale it: inputs that would need it are refused.
Source: tensorflow/lite/micro/kernels/concatenation.cc and pack.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builder.families.data_movement import Box, Copy, Movement, require_moved_dtype, view
from builder.operators.base import Node, Operator, Unsupported, normalised_axis, shape_of
from builder.quantized import fused_activation


class Concatenation(Movement):
    name = "concatenation"
    tflite = ("CONCATENATION",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node, *range(len(node.operator.inputs)))
        options = node.options("ConcatenationOptions")
        activation = fused_activation(options)
        if activation != "NONE":
            raise Unsupported(f"it has fused {activation}; expected none")
        return self.read(node, options.Axis(), len(node.output().shape))

    def read(self, node: Node, axis: int, rank: int, shape: Sequence[int] | None = None) -> Any:
        """The call for all inputs of a node, each seen under `shape` where one is given."""
        positions = range(len(node.operator.inputs))
        axis = normalised_axis(axis, rank)
        shapes = [tuple(shape or node.input(position).shape) for position in positions]
        if any(len(other) != rank or _beside(other, axis) != _beside(shapes[0], axis) for other in shapes):
            raise Unsupported(f"inputs of {', '.join(map(str, map(list, shapes)))} along axis {axis}")
        if node.output().dtype == "uint8":
            _require_one_quantization(node)
        whole = list(shapes[0])
        whole[axis] = sum(other[axis] for other in shapes)
        node.require_output_shape(*whole)
        values = [view(node, node.value(k), other) for k, other in zip(positions, shapes, strict=True)]
        return self.move(node, values, {"axis": axis}, whole)

    def copies(self, call: Any) -> list[Copy]:
        axis, start, copies = int(call.attrs["axis"]), 0, []
        for number, argument in enumerate(call.args):
            part = Box.whole(shape_of(argument))
            size = part.shape[axis]
            copies.append(Copy(number, part, Box.whole(shape_of(call)).part(axis, start, size)))
            start += size
        return copies


class Pack(Operator):
    name = "pack"
    tflite = ("PACK",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node, *range(len(node.operator.inputs)))
        shape = node.input(0).shape
        if any(node.input(position).shape != shape for position in range(len(node.operator.inputs))):
            raise Unsupported("its inputs differ in shape")
        rank = len(shape) + 1
        axis = normalised_axis(node.options("PackOptions").Axis(), rank)
        return Concatenation().read(node, axis, rank, (*shape[:axis], 1, *shape[axis:]))


def _require_one_quantization(node: Node) -> None:
    for position in range(len(node.operator.inputs)):
        tensor = node.input(position)
        if tensor.quantization != node.output().quantization:
            raise Unsupported(
                f"its input {tensor.name!r} ({tensor.quantization}) would have to be rescaled to "
                f"{node.output().quantization}",
                hint="convert the model with int8 instead of uint8, or give all inputs one scale",
            )


def _beside(shape: Sequence[int], axis: int) -> list[int]:
    """The sizes of the other dimensions."""
    return [size for number, size in enumerate(shape) if number != axis]
