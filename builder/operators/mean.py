"""Mean over some axes.

int8: M * (sum - n * x_zero) + y_zero, where M = scale_x / scale_y / n is one fixed-point number.
Source: QuantizedMeanOrSum in tensorflow/lite/kernels/internal/reference/reduce.h.
float32: sum / n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tvm import relax

from builder import tir
from builder.fixed_point import INTEGER_RANGE, quantize_multiplier
from builder.operators.base import Kernel, Node, Operator, Unsupported, dtype_of, per_tensor, shape_of
from builder.quantized import requantize
from container.abi import Profile


class Mean(Operator):
    name = "mean"
    tflite = ("MEAN",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(("int8", "int8"), ("float32", "float32"))
        shape = node.input(0).shape
        axes = normalised_axes(node.constant(1).reshape(-1).tolist(), len(shape))
        attributes: dict[str, int | str] = {"axes": ",".join(map(str, axes))}
        if dtype == "int8":
            attributes.update(_quantised(node, math.prod(shape[axis] for axis in axes)))
        kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
        if math.prod(node.output().shape) != math.prod(kept):
            raise Unsupported(f"a mean over axes {axes} of {list(shape)} into {list(node.output().shape)}")
        result = node.emit(self.call([node.value(0)], attributes, kept, dtype))
        return relax.op.reshape(result, node.output().shape)

    def lower(self, call: Any, profile: Profile) -> Kernel:
        dtype, shape = dtype_of(call), shape_of(call.args[0])
        axes = [int(axis) for axis in str(call.attrs["axes"]).split(",") if axis]
        accumulator = "int32" if dtype == "int8" else "float32"

        def body(x: Any, y: Any) -> None:
            with tir.loops(*shape_of(call)) as position:
                total = tir.Cell(accumulator, 0 if dtype == "int8" else 0.0)
                with tir.loops(*[shape[axis] for axis in axes]) as reduced:
                    source = list(position)
                    for axis, index in zip(axes, reduced, strict=True):
                        source[axis] = index
                    total.add(tir.cast(accumulator, x[tuple(source)]))
                count = math.prod(shape[axis] for axis in axes)
                tir.store(y, position, tir.cast(dtype, _finish(call, total.value, count)))

        return Kernel(tir.kernel([("x", shape, dtype), ("y", shape_of(call), dtype)], body), call.args)


def _quantised(node: Node, count: int) -> dict[str, int | str]:
    source, target = per_tensor(node.input(0)), per_tensor(node.output())
    return rescaled_mean(source, target, count)


def rescaled_mean(source: tuple[float, int], target: tuple[float, int], count: int) -> dict[str, int | str]:
    """Attributes of the int8 mean of `count` elements between two (scale, zero point)."""
    multiplier, shift = quantize_multiplier(source[0] / target[0])
    # Division by the count goes into the multiplier, with as many bits kept as its size allows.
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    return {
        "multiplier": (multiplier << extra) // count,
        "shift": shift - extra,
        "offset": -source[1] * count,
        "zero": target[1],
    }


def _finish(call: Any, total: Any, count: int) -> Any:
    if dtype_of(call) == "float32":
        return total / tir.cast("float32", count)
    parameters = (int(call.attrs[name]) for name in ("multiplier", "shift", "zero"))
    centred = total + int(call.attrs["offset"])
    return requantize(call.attrs, centred, *parameters, *INTEGER_RANGE["int8"])


def normalised_axes(axes: Sequence[int], rank: int) -> list[int]:
    """Axes counted from the front, each once, in order.  Raises Unsupported when one is out of range."""
    if any(not -rank <= axis < rank for axis in axes):
        raise Unsupported(f"axes {list(axes)} of a tensor with {rank} dimensions")
    return sorted({axis % rank for axis in axes})
