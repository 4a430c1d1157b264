"""A tensor with a box of it replaced; the box begins where a list says at run time, moved inside if it must.

Source: tensorflow/lite/micro/kernels/dynamic_update_slice.cc.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families.data_movement import require_moved_dtype
from builder.operators.base import Kernel, Node, Operator, Unsupported, dtype_of, shape_of
from builder.target import Target


class DynamicUpdateSlice(Operator):
    name = "dynamic_update_slice"
    tflite = ("DYNAMIC_UPDATE_SLICE",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node, 0, 1)
        shape, box, begins = (node.input(position).shape for position in range(3))
        fits = len(box) == len(shape) and all(part <= size for part, size in zip(box, shape, strict=True))
        if not fits or begins != (len(shape),):
            raise Unsupported(f"a box of {list(box)} at {list(begins)} numbers in {list(shape)}")
        if node.input(2).dtype not in ("int32", "int64"):
            raise Unsupported(f"its begins are {node.input(2).dtype}; expected int32 or int64")
        node.require_output_shape(*shape)
        arguments = [node.value(position) for position in range(3)]
        return self.call(arguments, {}, shape, node.output().dtype)

    def lower(self, call: Any, target: Target) -> Kernel:
        shape, box = shape_of(call), shape_of(call.args[1])

        def body(x: Any, update: Any, begins: Any, y: Any) -> None:
            with tir.loops(*shape) as position:
                tir.store(y, position or (0,), x[position or (0,)])
            starts = []
            for axis, (size, part) in enumerate(zip(shape, box, strict=True)):
                begin = tir.maximum(tir.minimum(begins[axis], size - part), 0)
                starts.append(tir.Cell("int32", tir.cast("int32", begin)))
            with tir.loops(*box) as position:
                place = tuple(start.value + i for start, i in zip(starts, position, strict=True))
                tir.store(y, place or (0,), update[position or (0,)])

        names = ["x", "update", "begins", "y"]
        tensors = [*call.args, call]
        buffers = [(name, shape_of(t), dtype_of(t)) for name, t in zip(names, tensors, strict=True)]
        return Kernel(tir.kernel(buffers, body), call.args)
