"""From a quantised tensor to float32: scale * (x - zero).

Source: Dequantize in tensorflow/lite/kernels/internal/reference/dequantize.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder import tir
from builder.operators.base import Kernel, Node, Operator, dtype_of, per_tensor, shape_of
from builder.operators.quantize import float32_bits, float32_of
from builder.target import Target


class Dequantize(Operator):
    name = "dequantize"
    tflite = ("DEQUANTIZE",)

    def read_tflite(self, node: Node) -> Any:
        node.require_dtype(*((dtype, "float32") for dtype in ("int8", "uint8", "int16")))
        node.require_output_shape(*node.input(0).shape)
        return self.from_integers(node.value(0), *per_tensor(node.input(0)))

    def from_integers(self, x: Any, scale: float, zero: int) -> Any:
        """Integers of any dtype to float32."""
        return self.call([x], {"scale": float32_bits(scale), "zero": zero}, shape_of(x), "float32")

    def evaluate(self, call: Any, values: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any] | None:
        centred = values[0].astype("int32") - int(call.attrs["zero"])
        return np.asarray(centred.astype("float32") * float32_of(int(call.attrs["scale"])))

    def lower(self, call: Any, target: Target) -> Kernel:
        source, shape = dtype_of(call.args[0]), shape_of(call) or (1,)

        def body(x: Any, y: Any) -> None:
            scale = tir.float32_literal(int(call.attrs["scale"]))
            with tir.loops(*shape) as position:
                centred = tir.cast("int32", x[position]) - int(call.attrs["zero"])
                tir.store(y, position, tir.cast("float32", centred) * scale)

        return Kernel(tir.kernel([("x", shape, source), ("y", shape, "float32")], body), call.args)
