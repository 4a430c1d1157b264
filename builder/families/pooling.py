"""Pooling over NHWC images: reading it, and the loop that reduces each window to one value."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

from builder import tir
from builder.access_order import Overlap, grouped, window_reads
from builder.families.window import Window, inside, taps, tflite_window
from builder.fixed_point import ACTIVATION_BOUNDS
from builder.operators.base import Kernel, Node, Operator, Unsupported, dtype_of, element_bytes, shape_of
from builder.quantized import fused_activation, output_attributes
from builder.target import Target


class Pooling(Operator):
    """Reduces each window to one value; taps outside of the image do not count."""

    @abstractmethod
    def start(self, accumulator: str) -> int | float:
        """The value to reduce into."""

    @abstractmethod
    def combine(self, total: Any, value: Any) -> Any:
        """The reduction's step."""

    @abstractmethod
    def finish(self, call: Any, total: Any, count: Any) -> Any:
        """The result of a window with `count` taps inside of the image."""

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*[(dtype, dtype) for dtype in ("int8", "int16", "uint8", "float32")])
        options = node.options("Pool2DOptions")
        if not node.input(0).shape:
            raise Unsupported("its input is a single number; NHWC is expected")
        kernel = (options.FilterHeight(), options.FilterWidth())
        attributes = tflite_window(node, options, kernel, node.input(0).shape[-1]).attributes()
        activation = fused_activation(options)
        if dtype == "float32":
            attributes["activation"] = activation
        else:
            attributes.update(output_attributes(node, activation))
        return self.call([node.value(0)], attributes, node.output().shape, dtype)

    def lower(self, call: Any, target: Target) -> Kernel:
        dtype, shape = dtype_of(call), shape_of(call.args[0])
        accumulator = "float32" if dtype == "float32" else "int32"
        window = Window.from_attributes(call.attrs)

        def body(x: Any, y: Any) -> None:
            with tir.loops(*shape_of(call)) as (n, oy, ox, c):
                top = oy * window.stride_height - window.pad_top
                left = ox * window.stride_width - window.pad_left
                total = tir.Cell(accumulator, self.start(accumulator))
                with (
                    taps(window.kernel_height, shape[1], top, 1) as (_, iy),
                    taps(window.kernel_width, shape[2], left, 1) as (_, ix),
                ):
                    total.set(self.combine(total.value, tir.cast(accumulator, x[n, iy, ix, c])))
                rows = inside(window.kernel_height, shape[1], top, 1)
                columns = inside(window.kernel_width, shape[2], left, 1)
                count = (rows[1] - rows[0]) * (columns[1] - columns[0])
                result = _bounded(call, self.finish(call, total.value, count))
                tir.store(y, (n, oy, ox, c), tir.cast(dtype, result))

        buffers = [("x", shape, dtype), ("y", shape_of(call), dtype)]
        return Kernel(tir.kernel(buffers, body), call.args, overlaps=(_overlap(call, window),))


def _overlap(call: Any, window: Window) -> Overlap:
    (batches, *image), (_, *result) = shape_of(call.args[0]), shape_of(call)
    order = grouped(window_reads(window, image, *result[:2]), result[2], pixels=1)
    order = order.repeated(batches, math.prod(image), math.prod(result))
    distance = order.channelwise_distance(result[2], math.prod(shape_of(call.args[0])))
    return Overlap(0, 0, distance * element_bytes(call))


def _bounded(call: Any, value: Any) -> Any:
    if dtype_of(call) == "float32":
        return tir.clamp(value, *ACTIVATION_BOUNDS[str(call.attrs["activation"])])
    return tir.call("int32", "rune_clamp", value, int(call.attrs["low"]), int(call.attrs["high"]))
