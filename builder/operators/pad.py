"""A border of one value around a tensor.

The value is the third input where there is one; else 0, which for int8 is the result's zero point.  int16
is quantised around 0.
Source: tensorflow/lite/kernels/internal/reference/pad.h; PadPrepare in micro/kernels/pad_common.cc.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from builder.families.data_movement import Box, Copy, Movement, require_moved_dtype, slabs_around
from builder.operators.base import Node, Unsupported, constant, per_tensor, shape_of


class Pad(Movement):
    name = "pad"
    tflite = ("PAD", "PADV2")

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node, *((0, 2) if node.has_input(2) else (0,)))
        value = node.value(2) if node.has_input(2) else padding_value(node)
        if shape_of(value) not in ((), (1,)):
            raise Unsupported(f"a border of the shape {list(shape_of(value))}; one value is expected")
        shape, pairs = node.input(0).shape, paddings(node)
        padded = [before + size + after for (before, after), size in zip(pairs, shape, strict=True)]
        node.require_output_shape(*padded)
        return self.move(node, [node.value(0), value], {"before": [before for before, _ in pairs]}, padded)

    def copies(self, call: Any) -> list[Copy]:
        shape, before = shape_of(call.args[0]), call.attrs["before"]
        inside = [(int(start), size) for start, size in zip(before, shape, strict=True)]
        slabs, middle = slabs_around(Box.whole(shape_of(call)), inside)
        borders = [Copy(1, Box(slab.shape, (0,) * len(slab.shape)), slab) for slab in slabs]
        return [*borders, Copy(0, Box.whole(shape), middle)]


def padding_value(node: Node) -> Any:
    """The number 0 in the result's quantisation, as a constant."""
    tensor = node.output()
    zero = per_tensor(tensor)[1] if tensor.dtype in ("int8", "uint8") else 0
    return constant(np.array(zero, tensor.dtype))


def paddings(node: Node) -> list[tuple[int, int]]:
    """(before, after) of each dimension of input 0, from input 1.  Raises Unsupported."""
    values, rank = node.integers(1), len(node.input(0).shape)
    if node.input(1).shape != (rank, 2) or min(values, default=0) < 0:
        raise Unsupported(
            f"paddings {values} of shape {list(node.input(1).shape)}; expected [{rank}, 2], none negative"
        )
    return list(zip(values[::2], values[1::2], strict=True))
