"""Element-wise sum with broadcasting.

int8: both inputs are shifted left by 20 bits and brought to twice the larger of their scales, summed, and
brought to the output's scale, each step with the two roundings of `rune_multiply`.
Source: tensorflow/lite/kernels/internal/reference/integer_ops/add.h and the Prepare of
micro/kernels/add_common.cc. float32: clamp(a + b).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder import tir
from builder.fixed_point import ACTIVATION_BOUNDS, activation_range, quantize_multiplier
from builder.operators.base import Kernel, Node, Operator, Unsupported, dtype_of, per_tensor, shape_of
from builder.quantized import fused_activation, requantize
from container.abi import Profile

LEFT_SHIFT = 20
"""Bits of headroom that int8 sums are computed with."""


class Add(Operator):
    name = "add"
    tflite = ("ADD",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _, _ = node.require_dtype(("int8", "int8", "int8"), ("float32", "float32", "float32"))
        options = node.operator.options("AddOptions")
        activation = fused_activation(options) if options is not None else "NONE"
        if dtype == "float32":
            attributes: dict[str, int | str] = {"activation": activation}
        else:
            scales = (per_tensor(node.input(0)), per_tensor(node.input(1)), per_tensor(node.output()))
            attributes = quantised(*scales, activation_range(activation, *scales[2], "int8"))
        shape = broadcast_shapes(node.input(0).shape, node.input(1).shape)
        node.require_output_shape(*shape)
        return self.call([node.value(0), node.value(1)], attributes, shape, dtype)

    def lower(self, call: Any, profile: Profile) -> Kernel:
        dtype = dtype_of(call)
        shapes = [shape_of(argument) for argument in call.args]
        combine = _add_int8 if dtype == "int8" else _add_float32

        def body(a: Any, b: Any, y: Any) -> None:
            with tir.loops(*(shape_of(call) or (1,))) as position:
                left, right = (
                    buffer[broadcast(shape, position)] for buffer, shape in zip((a, b), shapes, strict=True)
                )
                tir.store(y, position, combine(call.attrs, left, right))

        buffers = [(name, shape, dtype) for name, shape in zip("aby", [*shapes, shape_of(call)], strict=True)]
        return Kernel(tir.kernel(buffers, body), call.args)


def quantised(
    a: tuple[float, int], b: tuple[float, int], y: tuple[float, int], bounds: tuple[int, int]
) -> dict[str, int | str]:
    """Attributes of the int8 call, from (scale, zero point) of both inputs and the result, and its bounds."""
    (scale_a, zero_a), (scale_b, zero_b), (scale, zero), (low, high) = a, b, y, bounds
    twice_largest = 2 * max(scale_a, scale_b)
    attributes: dict[str, int | str] = {
        "zero_a": zero_a,
        "zero_b": zero_b,
        "zero": zero,
        "low": low,
        "high": high,
    }
    for name, real in (
        ("a", scale_a / twice_largest),
        ("b", scale_b / twice_largest),
        ("y", twice_largest / ((1 << LEFT_SHIFT) * scale)),
    ):
        attributes[f"multiplier_{name}"], attributes[f"shift_{name}"] = quantize_multiplier(real)
    return attributes


def _add_int8(attributes: Any, a: Any, b: Any) -> Any:
    def scaled(value: Any, name: str) -> Any:
        shifted = (tir.cast("int32", value) - int(attributes[f"zero_{name}"])) * (1 << LEFT_SHIFT)
        parameters = (int(attributes[f"multiplier_{name}"]), int(attributes[f"shift_{name}"]))
        return tir.call("int32", "rune_multiply", shifted, *parameters)

    names = ("multiplier_y", "shift_y", "zero", "low", "high")
    total = scaled(a, "a") + scaled(b, "b")
    return tir.cast("int8", requantize(attributes, total, *(int(attributes[name]) for name in names)))


def _add_float32(attributes: Any, a: Any, b: Any) -> Any:
    return tir.clamp(a + b, *ACTIVATION_BOUNDS[str(attributes["activation"])])


def broadcast_shapes(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    """The shape two tensors broadcast to, by NumPy's rules.  Raises Unsupported."""
    try:
        return tuple(int(size) for size in np.broadcast_shapes(tuple(a), tuple(b)))
    except ValueError as fault:
        raise Unsupported(f"inputs of {list(a)} and {list(b)} do not broadcast") from fault


def broadcast(shape: Sequence[int], position: Sequence[Any]) -> tuple[Any, ...]:
    """Where a tensor of `shape` is read for the result's element at `position` (NumPy's rules)."""
    aligned = tuple(position)[len(position) - len(shape) :]
    return tuple(0 if size == 1 else index for size, index in zip(shape, aligned, strict=True)) or (0,)
