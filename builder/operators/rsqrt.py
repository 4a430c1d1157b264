"""1 / sqrt(x).

int8, int16: the inverse square root of the distance from the zero point in fixed point, by five Newton steps,
brought to the output's scale by 1 / (sqrt(scale_x) * scale_y); 0 gives the largest output.  Values below the
zero point fail the stage, as in TensorFlow Lite Micro.
Source: RsqrtEvalQuantized in tensorflow/lite/micro/kernels/elementwise.cc.
"""

from __future__ import annotations

import math
from typing import Any

from builder import tir
from builder.families.elementwise import Unary, centred, output_bounds, require_zero_point_0, same, scaling
from builder.operators.base import Node, dtype_of, per_tensor


class Rsqrt(Unary):
    name = "rsqrt"
    tflite = ("RSQRT",)

    def read_tflite(self, node: Node) -> Any:
        dtype, _ = node.require_dtype(*same("int8", "int16", "float32", inputs=1))
        attributes: dict[str, int | str] = {}
        if dtype != "float32":
            require_zero_point_0(node, dtype, inputs=1)
            (scale_x, zero_x), (scale, zero) = per_tensor(node.input(0)), per_tensor(node.output())
            factor = scaling("y", 1.0 / (math.sqrt(scale_x) * scale))
            attributes = {**factor, **output_bounds(node, "NONE"), "zero_x": zero_x, "zero": zero}
        return self.same_shape_call(node, attributes)

    def refused(self, call: Any, *operands: Any) -> Any:
        if dtype_of(call) == "float32":
            return None
        return centred(call.attrs, "x", operands[0]) < 0

    def element(self, call: Any, *operands: Any) -> Any:
        (x,) = operands
        if dtype_of(call) == "float32":
            return tir.literal("float32", 1.0) / tir.call("float32", "sqrtf", x)
        parameters = (int(call.attrs[name]) for name in ("multiplier_y", "shift_y", "zero", "low", "high"))
        result = tir.call("int32", "rune_rsqrt", centred(call.attrs, "x", x), *parameters)
        return tir.cast(dtype_of(call), result)
