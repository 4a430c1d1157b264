"""NHWC images to another size, each pixel that of the nearest place.

Source: tensorflow/lite/kernels/internal/reference/resize_nearest_neighbor.h.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from builder import tir
from builder.families.data_movement import require_moved_dtype, view
from builder.families.resizing import Resizing
from builder.operators.base import Kernel, Node, Operator, constant, dtype_of, shape_of
from builder.operators.broadcast_to import BroadcastTo
from builder.target import Target


class ResizeNearest(Operator):
    """Takes an image, and the input's row for each row and column for each column of the result."""

    name = "resize_nearest"
    tflite = ("RESIZE_NEAREST_NEIGHBOR",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        resizing = Resizing.of(node, "ResizeNearestNeighborOptions")
        tables = [resizing.nearest(axis) for axis in (1, 2)]
        batch, height, width, depth = resizing.source
        times = [len(tables[0]) // height, len(tables[1]) // width]
        repeated = [np.repeat(np.arange(size), n) for size, n in zip((height, width), times, strict=True)]
        if all(np.array_equal(table, same) for table, same in zip(tables, repeated, strict=True)):
            x = view(node, node.value(0), (batch, height, 1, width, 1, depth))
            grown = BroadcastTo().repeat(node, x, (batch, height, times[0], width, times[1], depth))
            return view(node, grown, resizing.target)
        arguments = [node.value(0), *map(constant, tables)]
        return self.call(arguments, {}, resizing.target, node.output().dtype)

    def lower(self, call: Any, target: Target) -> Kernel:
        shape, dtype = shape_of(call), dtype_of(call)

        def body(x: Any, rows: Any, columns: Any, y: Any) -> None:
            with tir.loops(*shape) as (n, oy, ox, c):
                tir.store(y, (n, oy, ox, c), x[n, rows[oy], columns[ox], c])

        tables = [
            (name, (size,), "int32") for name, size in zip(("rows", "columns"), shape[1:3], strict=True)
        ]
        buffers = [("x", shape_of(call.args[0]), dtype), *tables, ("y", shape, dtype)]
        return Kernel(tir.kernel(buffers, body), call.args)
