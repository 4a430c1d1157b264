"""Quantisation at run time, for models that have int8 weights and float32 activations.

Each batch gets a scale and a zero point from its own smallest and largest value: symmetric ones reach from
-127 to 127 around 0, asymmetric ones from -128 to 127 with the range widened to include 0.
Source: PortableSymmetricQuantizeFloats and PortableAsymmetricQuantizeFloats in
tensorflow/lite/kernels/internal/reference/portable_tensor_utils.cc.
"""

from __future__ import annotations

import math
from typing import Any

from builder import tir
from builder.operators.base import Kernel, Node, Operator, Unsupported, shape_of
from builder.target import Target


class DynamicRange(Operator):
    """float32[batches, ...] to float32[batches, 2]: the scale and the zero point of each batch."""

    name = "dynamic_range"

    def read_tflite(self, node: Node) -> Any:
        raise Unsupported("it is part of other operators")

    def of(self, x: Any, *, asymmetric: bool) -> Any:
        return self.call([x], {"asymmetric": int(asymmetric)}, (shape_of(x)[0], 2), "float32")

    def lower(self, call: Any, target: Target) -> Kernel:
        batches, count = _batches(call.args[0])

        def body(x: Any, y: Any) -> None:
            with tir.loop(batches) as batch:
                arguments = (tir.address(x, batch, 0), tir.address(y, batch, 0), count)
                tir.evaluate(
                    tir.call("int32", "rune_dynamic_range", *arguments, int(call.attrs["asymmetric"]))
                )

        shapes = [("x", (batches, count), "float32"), ("y", (batches, 2), "float32")]
        return Kernel(tir.kernel(shapes, body), call.args)


class DynamicQuantize(Operator):
    """float32[batches, ...] and their ranges to int8 of the same shape."""

    name = "dynamic_quantize"

    def read_tflite(self, node: Node) -> Any:
        raise Unsupported("it is part of other operators")

    def of(self, x: Any, quantization: Any) -> Any:
        return self.call([x, quantization], {}, shape_of(x), "int8")

    def lower(self, call: Any, target: Target) -> Kernel:
        batches, count = _batches(call.args[0])

        def body(x: Any, quantization: Any, y: Any) -> None:
            with tir.loops(batches, count) as (batch, i):
                parameters = (quantization[batch, 0], quantization[batch, 1])
                value = tir.call("int32", "rune_dynamic_quantize", x[batch, i], *parameters)
                tir.store(y, (batch, i), tir.cast("int8", value))

        matrix = (batches, count)
        shapes = [("x", matrix, "float32"), ("q", (batches, 2), "float32"), ("y", matrix, "int8")]
        return Kernel(tir.kernel(shapes, body), call.args)


def _batches(x: Any) -> tuple[int, int]:
    """The first dimension, and the elements of each of its slices."""
    batches, *rest = shape_of(x)
    return batches, math.prod(rest)
