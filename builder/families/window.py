"""Sliding windows over images, as convolutions and poolings share them: geometry, loops without padding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import tflite

from builder import tir
from builder.operators.base import Node, Unsupported

SHARED_PAD = "shared_pad"
"""Attribute of calls that are the same but for `pad_top`: their kernel takes it as an argument, so that they
share one.  It may be below zero then."""


@dataclass(frozen=True)
class Window:
    """Where a window's taps lie: output y, tap i reads input y * stride - pad + i * dilation; so for x, j."""

    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    dilation_height: int
    dilation_width: int
    pad_top: int
    pad_left: int

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Window:
        return cls(**{name: int(attributes[name]) for name in cls.__dataclass_fields__})

    def attributes(self) -> dict[str, int | str]:
        return asdict(self)


def tflite_window(node: Node, options: Any, kernel: tuple[int, ...], channels: int) -> Window:
    """The window of a Conv2D, DepthwiseConv2D or Pool2D options table over input 0, which is NHWC.

    Source of the padding and the output's size: ComputePaddingHeightWidth in
    tensorflow/lite/kernels/padding.h.
    Raises Unsupported when the output's shape does not follow.
    """
    input_shape = node.input(0).shape
    if len(input_shape) != 4 or len(kernel) != 2:
        raise Unsupported(
            f"an input of {list(input_shape)} under a window of {list(kernel)}; NHWC is expected"
        )
    strides = (options.StrideH(), options.StrideW())
    dilations = (
        (options.DilationHFactor(), options.DilationWFactor())
        if hasattr(options, "DilationHFactor")
        else (1, 1)
    )
    if min(*strides, *dilations, *kernel) < 1:
        raise Unsupported(f"stride {strides}, dilation {dilations}, kernel {kernel}: all must be positive")
    same = options.Padding() == tflite.Padding.SAME
    pads, sizes = [], []
    for size, extent, stride, dilation in zip(input_shape[1:3], kernel, strides, dilations, strict=True):
        pads.append(same_padding(size, extent, stride, dilation) if same else 0)
        span = 1 if same else (extent - 1) * dilation + 1
        sizes.append(max(-(-(size - span + 1) // stride), 0))
    node.require_output_shape(input_shape[0], *sizes, channels)
    return Window(*kernel, *strides, *dilations, *pads)


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> int:
    """Padding before the first element of one dimension under `SAME`."""
    output = -(-size // stride)
    return max((output - 1) * stride + (kernel - 1) * dilation + 1 - size, 0) // 2


@contextmanager
def taps(extent: int, size: int, start: Any, dilation: int) -> Iterator[tuple[Any, Any]]:
    """Loops over the taps of one dimension that fall inside `size`; yields (tap, position)."""
    with tir.loop(extent) as tap:
        position = start + tap * dilation
        with tir.when(tir.both(position >= 0, position < size)):
            yield tap, position


def inside(extent: int, size: int, start: Any, dilation: int) -> tuple[Any, Any]:
    """First tap inside `size` and one past the last, of a window of `extent` taps from `start`."""
    first = tir.maximum(0, tir.floor_divide(dilation - 1 - start, dilation))
    last = tir.minimum(extent, tir.floor_divide(size - start + dilation - 1, dilation))
    return first, last
