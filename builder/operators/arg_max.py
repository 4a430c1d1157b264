"""Where the largest or smallest element lies along one axis; of equal ones the first.

Source: tensorflow/lite/kernels/internal/reference/arg_min_max.h.
"""

from __future__ import annotations

from typing import Any, ClassVar

from builder import tir
from builder.operators.base import Kernel, Node, Operator, Unsupported, dtype_of, normalised_axis, shape_of
from builder.target import Target

DTYPES = ("int8", "uint8", "int16", "int32", "float32")


class ArgMax(Operator):
    name = "arg_max"
    tflite = ("ARG_MAX",)
    sign: ClassVar[int] = 1
    """1 where the largest is sought, -1 for the smallest."""

    def read_tflite(self, node: Node) -> Any:
        _, dtype = node.require_dtype(*((dtype, index) for dtype in DTYPES for index in ("int32", "int64")))
        shape, axes = node.input(0).shape, node.integers(1)
        if len(axes) != 1:
            raise Unsupported(f"axes {axes}; one is expected")
        axis = normalised_axis(axes[0], len(shape))
        if shape[axis] == 0:
            raise Unsupported(f"no elements along axis {axis} of {list(shape)}")
        rest = [size for number, size in enumerate(shape) if number != axis]
        node.require_output_shape(*rest)
        return self.call([node.value(0)], {"axis": axis}, rest, dtype)

    def lower(self, call: Any, target: Target) -> Kernel:
        shape, dtype, axis = shape_of(call.args[0]), dtype_of(call.args[0]), int(call.attrs["axis"])
        rest = shape_of(call)

        def body(x: Any, y: Any) -> None:
            with tir.loops(*rest) as position:

                def at(index: Any) -> Any:
                    return x[(*position[:axis], index, *position[axis:])]

                best, place = tir.Cell(dtype, at(0)), tir.Cell("int32", 0)
                with tir.loop(shape[axis]) as i:
                    better = at(i) > best.value if self.sign > 0 else at(i) < best.value
                    with tir.when(better):
                        best.set(at(i))
                        place.set(i)
                tir.store(y, position or (0,), tir.cast(dtype_of(call), place.value))

        return Kernel(tir.kernel([("x", shape, dtype), ("y", rest, dtype_of(call))], body), call.args)


class ArgMin(ArgMax):
    name = "arg_min"
    tflite = ("ARG_MIN",)
    sign = -1
