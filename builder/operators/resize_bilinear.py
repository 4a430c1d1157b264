"""NHWC images to another size, each pixel from the four around its place, weighted by their nearness.

int8: places and weights in steps of 1/1024 pixel, in integers; the sum in steps of 2**-20 is rounded half
away from zero.  float32: places and weights in float32.
Source: tensorflow/lite/kernels/internal/reference/resize_bilinear.h.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.elementwise import same
from builder.families.resizing import Resizing
from builder.operators.base import Kernel, Node, Operator, Unsupported, constant, dtype_of, shape_of
from builder.target import Target

STEPS = 1024
"""Of an integer weight in one pixel."""


class ResizeBilinear(Operator):
    """Takes an image and, for the rows and then the columns of the result, pairs of pixels and distances."""

    name = "resize_bilinear"
    tflite = ("RESIZE_BILINEAR",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "float32", inputs=1))
        resizing = Resizing.of(node, "ResizeBilinearOptions")
        if resizing.align_corners and resizing.half_pixel_centers:
            raise Unsupported("`align_corners` and `half_pixel_centers` exclude each other")
        between = resizing.between if dtype == "float32" else resizing.between_steps
        tables = [constant(table) for axis in (1, 2) for table in between(axis)]
        return self.call([node.value(0), *tables], {}, resizing.target, dtype)

    def lower(self, call: Any, target: Target) -> Kernel:
        shape, dtype = shape_of(call), dtype_of(call)
        blend, weight = (_blend_float32, "float32") if dtype == "float32" else (_blend_int8, "int32")

        def body(x: Any, rows: Any, down: Any, columns: Any, across: Any, y: Any) -> None:
            with tir.loops(*shape) as (n, oy, ox, c):
                corners = [x[n, rows[oy, i], columns[ox, j], c] for j in (0, 1) for i in (0, 1)]
                tir.store(y, (n, oy, ox, c), blend(corners, down[oy], across[ox]))

        tables = [
            (name, (size, 2) if pairs else (size,), "int32" if pairs else weight)
            for size, names in zip(shape[1:3], (("rows", "down"), ("columns", "across")), strict=True)
            for name, pairs in zip(names, (True, False), strict=True)
        ]
        buffers = [("x", shape_of(call.args[0]), dtype), *tables, ("y", shape, dtype)]
        return Kernel(tir.kernel(buffers, body), call.args)


def _blend_float32(corners: list[Any], down: Any, across: Any) -> Any:
    """Of upper left, lower left, upper right and lower right, in the order in which the reference adds."""
    one = tir.literal("float32", 1.0)
    upper_left, lower_left, upper_right, lower_right = corners
    total = upper_left * (one - down) * (one - across) + lower_left * down * (one - across)
    return total + upper_right * (one - down) * across + lower_right * down * across


def _blend_int8(corners: list[Any], down: Any, across: Any) -> Any:
    upper_left, lower_left, upper_right, lower_right = (tir.cast("int32", corner) for corner in corners)
    total = upper_left * (STEPS - down) * (STEPS - across) + lower_left * down * (STEPS - across)
    total = total + upper_right * (STEPS - down) * across + lower_right * down * across
    half = STEPS * STEPS // 2
    rounded = tir.truncated_divide(tir.select(total > 0, total + half, total - half), STEPS * STEPS)
    return tir.cast("int8", rounded)
