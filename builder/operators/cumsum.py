"""Running sums along an axis: of the elements up to and with each (or without it: `exclusive`), from the
front or, `reverse`, from the back.

int8: distances from the zero point in steps of 2**-19 are added up modulo 2**32, and each sum is brought to
the output's scale, rounded twice.  As in the reference a sum starts not at 0, but at one element of value 0
before its zero point is subtracted.
Source: CumSum in tensorflow/lite/kernels/internal/reference/cumsum.h; micro/kernels/cumsum.cc.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from builder import tir
from builder.families.elementwise import requantized_element, same, scaling, wrapping
from builder.fixed_point import INTEGER_RANGE
from builder.operators.base import (
    Kernel,
    Node,
    Operator,
    Unsupported,
    dtype_of,
    normalised_axis,
    per_tensor,
    shape_of,
)
from builder.target import Target

STEPS = 1 << 19
"""Of the accumulator, in one of the input."""


class CumSum(Operator):
    name = "cumsum"
    tflite = ("CUMSUM",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "float32", inputs=1))
        shape, axes, options = node.input(0).shape, node.integers(1), node.options("CumsumOptions")
        if len(axes) != 1:
            raise Unsupported(f"axes {axes}; one is expected")
        node.require_output_shape(*shape)
        attributes: dict[str, int | str] = {
            "axis": normalised_axis(axes[0], len(shape)),
            "exclusive": int(options.Exclusive()),
            "reverse": int(options.Reverse()),
        }
        if dtype == "int8":
            attributes.update(_quantised(node))
        return self.call([node.value(0)], attributes, shape, dtype)

    def lower(self, call: Any, target: Target) -> Kernel:
        shape, dtype, axis = shape_of(call), dtype_of(call), int(call.attrs["axis"])
        add, steps, finish, start = _float32(call) if dtype == "float32" else _int8(call)
        accumulator, exclusive = "float32" if dtype == "float32" else "int32", int(call.attrs["exclusive"])

        def body(x: Any, y: Any) -> None:
            with tir.loops(*shape[:axis], *shape[axis + 1 :]) as rest:
                total = tir.Cell(accumulator, start)
                with tir.loop(shape[axis]) as i:
                    index = shape[axis] - 1 - i if int(call.attrs["reverse"]) else i
                    position = (*rest[:axis], index, *rest[axis:])
                    if exclusive:
                        tir.store(y, position, finish(total.value))
                    total.set(add(total.value, steps(x[position])))
                    if not exclusive:
                        tir.store(y, position, finish(total.value))

        return Kernel(tir.kernel([("x", shape, dtype), ("y", shape, dtype)], body), call.args)


Arithmetic = tuple[Callable[[Any, Any], Any], Callable[[Any], Any], Callable[[Any], Any], Any]
"""How to add, an element's value in the accumulator, a result of it, and what it starts with."""


def _quantised(node: Node) -> dict[str, int | str]:
    (scale, zero), (target, target_zero) = per_tensor(node.input(0)), per_tensor(node.output())
    real = 2 * scale / ((1 << 20) * target)
    if real >= 1.0:
        raise Unsupported(f"a scale of {scale} into one of {target}, more than {1 << 19} times smaller")
    low, high = INTEGER_RANGE["int8"]
    return {"zero_x": zero, "zero": target_zero, "low": low, "high": high, **scaling("y", real)}


def _int8(call: Any) -> Arithmetic:
    zero = int(call.attrs["zero_x"])

    def add(total: Any, value: Any) -> Any:
        return wrapping(operator.add, total, value)

    def steps(value: Any) -> Any:
        return (tir.cast("int32", value) - zero) * STEPS

    return add, steps, lambda total: requantized_element(call, total), -zero * STEPS


def _float32(call: Any) -> Arithmetic:
    return operator.add, lambda value: value, lambda total: total, 0.0
