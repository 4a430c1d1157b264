"""Reductions of a tensor over some of its axes: reading them, and the loop that folds elements into one."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

from builder import tir
from builder.families.data_movement import view
from builder.fixed_point import INTEGER_RANGE
from builder.operators.base import (
    Kernel,
    Node,
    Operator,
    dtype_of,
    normalised_axes,
    shape_of,
)
from builder.quantized import requantize
from builder.target import Target


class Reduction(Operator):
    """Folds all elements along the axes into one, in the order in which they lie in memory."""

    dtypes: ClassVar[tuple[str, ...]]
    """Of input and output."""

    def accumulator(self, dtype: str) -> str:
        """The dtype that is folded in."""
        return dtype

    def attributes(self, node: Node, count: int) -> dict[str, int | str]:
        """Further attributes of a reduction of `count` elements to one.  Raises Unsupported."""
        return {}

    @abstractmethod
    def start(self, dtype: str) -> Any:
        """What is folded into."""

    @abstractmethod
    def combine(self, total: Any, value: Any) -> Any:
        """One more element folded in."""

    def finish(self, call: Any, total: Any, count: int) -> Any:
        """The result of `count` elements."""
        return total

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*((dtype, dtype) for dtype in self.dtypes))
        shape = node.input(0).shape
        axes = normalised_axes(node.integers(1), len(shape))
        kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
        if not node.options("ReducerOptions").KeepDims():
            node.require_output_shape(*(size for axis, size in enumerate(shape) if axis not in axes))
        else:
            node.require_output_shape(*kept)
        attributes = {"axes": axes, **self.attributes(node, math.prod(shape[axis] for axis in axes))}
        return view(node, node.emit(self.call([node.value(0)], attributes, kept, dtype)), node.output().shape)

    def lower(self, call: Any, target: Target) -> Kernel:
        dtype, shape = dtype_of(call), shape_of(call.args[0])
        axes = [int(axis) for axis in call.attrs["axes"]]
        accumulator, count = self.accumulator(dtype), math.prod(shape[axis] for axis in axes)

        def body(x: Any, y: Any) -> None:
            with tir.loops(*shape_of(call)) as position:
                total = tir.Cell(accumulator, self.start(accumulator))
                with tir.loops(*[shape[axis] for axis in axes]) as reduced:
                    source = list(position)
                    for axis, index in zip(axes, reduced, strict=True):
                        source[axis] = index
                    value = tir.cast(accumulator, x[tuple(source) or (0,)])
                    total.set(self.combine(total.value, value))
                tir.store(y, position or (0,), tir.cast(dtype, self.finish(call, total.value, count)))

        return Kernel(tir.kernel([("x", shape, dtype), ("y", shape_of(call), dtype)], body), call.args)


def rescaled_total(call: Any, total: Any) -> Any:
    """An int32 sum moved by `offset`, times the factor of the attributes, around the result's `zero`."""
    parameters = (int(call.attrs[name]) for name in ("multiplier", "shift", "zero"))
    centred = total + int(call.attrs["offset"])
    return requantize(call.attrs, centred, *parameters, *INTEGER_RANGE[dtype_of(call)])
