"""Transposed two-dimensional convolution over NHWC images with OHWI weights: each input pixel adds its
product with every tap to the output pixel at pixel * stride - padding + tap.

The first input, the output's shape, is not looked at: the file states that shape beside.
int8: y = clamp(M[o] * (b[o] + sum((x - x_zero) * w)) + y_zero), rounded twice.  int16 sums have 64 bits, and
are rounded once.
Source: tensorflow/lite/kernels/internal/reference/integer_ops/transpose_conv.h and the Prepare of
micro/kernels/transpose_conv.cc.
float32: y = clamp(b[o] + sum(x * w)).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import tflite

from builder import tir
from builder.families.weighted_sum import Arithmetic, WeightedSum
from builder.families.window import Window, same_padding
from builder.operators.base import Node, Unsupported, shape_of


class TransposeConv(WeightedSum):
    name = "transpose_conv"
    tflite = ("TRANSPOSE_CONV",)
    options_table = "TransposeConvOptions"
    channel_axis = 0

    def read_tflite(self, node: Node) -> Any:
        """In the file the image comes third; here first, as in other convolutions."""
        _, weights, image, bias = (*node.operator.inputs, -1, -1, -1, -1)[:4]
        node = replace(node, operator=replace(node.operator, inputs=(image, weights, bias)))
        node.require_dtype(
            ("int8", "int8", "int8"), ("int16", "int8", "int16"), ("float32", "float32", "float32")
        )
        return super().read_tflite(node)

    def accumulator_dtypes(self, dtype: str) -> tuple[str, ...]:
        return ("int64",) if dtype == "int16" else super().accumulator_dtypes(dtype)

    def geometry(self, node: Node, options: Any) -> dict[str, int | str]:
        weights, image, result = node.constant(1).shape, node.input(0).shape, node.output().shape
        if len(weights) != 4 or len(image) != 4 or len(result) != 4 or image[3] != weights[3]:
            raise Unsupported(f"weights {list(weights)} on an image of {list(image)}")
        node.require_output_shape(image[0], *result[1:3], weights[0])
        strides, kernel = (options.StrideH(), options.StrideW()), weights[1:3]
        if min(*strides, *kernel) < 1:
            raise Unsupported(f"stride {strides}, kernel {kernel}: all must be positive")
        same = options.Padding() == tflite.Padding.SAME
        pads = [
            same_padding(size, extent, stride, 1) if same else 0
            for size, extent, stride in zip(result[1:3], kernel, strides, strict=True)
        ]
        return Window(kernel[0], kernel[1], *strides, 1, 1, pads[0], pads[1]).attributes()

    def macs(self, call: Any) -> int:
        batch, height, width, depth = shape_of(call.args[0])
        filters, kernel_height, kernel_width, _ = shape_of(call.args[1])
        return batch * height * width * depth * filters * kernel_height * kernel_width

    def accumulate(
        self, call: Any, arithmetic: Arithmetic, buffers: tuple[Any, Any], position: Any, total: tir.Cell
    ) -> None:
        x, w = buffers
        n, oy, ox, o = position
        window = Window.from_attributes(call.attrs)
        _, height, width, depth = shape_of(call.args[0])
        rows = (oy + window.pad_top, window.kernel_height, window.stride_height, height)
        columns = (ox + window.pad_left, window.kernel_width, window.stride_width, width)
        with _contributors(*rows) as (ky, iy), _contributors(*columns) as (kx, ix):
            total.add(arithmetic.dot(tir.address(x, n, iy, ix, 0), tir.address(w, o, ky, kx, 0), depth))


@contextmanager
def _contributors(place: Any, kernel: int, stride: int, size: int) -> Iterator[tuple[Any, Any]]:
    """Loops over the pairs (tap, pixel) with pixel * stride + tap = place."""
    with tir.loop(-(-kernel // stride)) as step:
        pixel = tir.floor_divide(place, stride) - step
        tap = place - pixel * stride
        with tir.when(tir.both(pixel >= 0, pixel < size, tap < kernel)):
            yield tap, pixel
