"""Square blocks of pixels into channels, and back, over NHWC images.

Pixel (i, j) of a block of b * b becomes the channels from (i * b + j) * depth on.
Source: tensorflow/lite/kernels/internal/reference/space_to_depth.h and depth_to_space.h.
"""

from __future__ import annotations

from typing import Any

from builder.families.data_movement import require_moved_dtype, view
from builder.operators.base import Node, Operator, Unsupported
from builder.operators.transpose import Transpose


class SpaceToDepth(Operator):
    name = "space_to_depth"
    tflite = ("SPACE_TO_DEPTH",)

    def read_tflite(self, node: Node) -> Any:
        batch, height, width, depth = _image(node)
        block = node.options("SpaceToDepthOptions").BlockSize()
        if block < 1 or height % block or width % block:
            raise Unsupported(f"blocks of {block} in an image of {height} x {width}")
        down, across = height // block, width // block
        node.require_output_shape(batch, down, across, depth * block * block)
        blocks = view(node, node.value(0), (batch, down, block, across, block, depth))
        return view(node, Transpose().permute(node, blocks, (0, 1, 3, 2, 4, 5)), node.output().shape)


class DepthToSpace(Operator):
    name = "depth_to_space"
    tflite = ("DEPTH_TO_SPACE",)

    def read_tflite(self, node: Node) -> Any:
        batch, down, across, channels = _image(node)
        block = node.options("DepthToSpaceOptions").BlockSize()
        if block < 1 or channels % (block * block):
            raise Unsupported(f"blocks of {block} from {channels} channels")
        depth = channels // (block * block)
        node.require_output_shape(batch, down * block, across * block, depth)
        blocks = view(node, node.value(0), (batch, down, across, block, block, depth))
        return view(node, Transpose().permute(node, blocks, (0, 1, 3, 2, 4, 5)), node.output().shape)


def _image(node: Node) -> tuple[int, ...]:
    require_moved_dtype(node)
    shape = node.input(0).shape
    if len(shape) != 4:
        raise Unsupported(f"an input of {list(shape)}; NHWC is expected")
    return shape
