"""The k largest or smallest elements along one axis, in order, and where they lie; of equal ones the first.

It takes k passes along the axis.  NaN counts as less than anything else.  Source: TopK of the ONNX
specification.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.blocks.ordering import larger, largest_first
from builder.operators.base import Kernel, Node, Operator, Unsupported, dtype_of, shape_of
from builder.target import Target
from container.tensors import ElementType


class TopK(Operator):
    name = "top_k"

    def read_tflite(self, node: Node) -> Any:
        raise Unsupported("it is no operator of TensorFlow Lite Micro")

    def lower(self, call: Any, target: Target) -> Kernel:
        shape, dtype, axis = shape_of(call.args[0]), dtype_of(call.args[0]), int(call.attrs["axis"])
        results = [
            (tuple(int(size) for size in kind.shape.values), str(kind.dtype)) for kind in call.ty.fields
        ]
        larger_of = larger(ElementType.from_dtype(dtype))
        is_largest = bool(call.attrs["largest"])
        rest = [size for number, size in enumerate(shape) if number != axis]

        def body(x: Any, values: Any, indices: Any) -> None:
            with tir.loops(*rest) as position:

                def at(index: Any) -> tuple[Any, ...]:
                    return (*position[:axis], index, *position[axis:])

                def found(rank: Any, index: Any) -> None:
                    tir.store(values, at(rank), x[at(index)])
                    tir.store(indices, at(rank), tir.cast(results[1][1], index))

                def better(a: Any, b: Any) -> Any:
                    return larger_of(a, b) if is_largest else larger_of(b, a)

                largest_first(better, shape[axis], results[0][0][axis], lambda i: x[at(i)], found)

        buffers = [("x", shape, dtype), ("values", *results[0]), ("indices", *results[1])]
        return Kernel(tir.kernel(buffers, body), call.args)
