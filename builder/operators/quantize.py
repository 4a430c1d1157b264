"""To a quantised tensor, from float32 or from other quantisation parameters.

float32 to integers: clamp(round(x / scale) + zero), ties away from zero in TensorFlow Lite, to even in ONNX.
Source: AffineQuantize in tensorflow/lite/kernels/internal/reference/quantize.h; QuantizeLinear of ONNX.
Integers to integers: clamp(M * (x - x_zero) + y_zero), M = scale_x / scale_y.
Source: Requantize in tensorflow/lite/kernels/internal/reference/requantize.h.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from builder import tir
from builder.fixed_point import INTEGER_RANGE, quantize_multiplier
from builder.operators.base import Kernel, Node, Operator, dtype_of, per_tensor, shape_of
from builder.quantized import requantize, requantized_value
from builder.target import Target

COMBINATIONS = (
    *(("float32", dtype) for dtype in ("int8", "uint8", "int16")),
    *(("int8", dtype) for dtype in ("int8", "uint8", "int16", "int32")),
    *(("int16", dtype) for dtype in ("int8", "int16", "int32")),
    *(("int32", dtype) for dtype in ("int8", "int16")),
    ("uint8", "int8"),
)
"""Dtypes of input and result, as TensorFlow Lite Micro takes them."""

MAXIMUM_NUMBERS = 1 << 16
"""Different ones that are rescaled when building: all that 16 bits can be."""


class Quantize(Operator):
    name = "quantize"
    tflite = ("QUANTIZE",)

    def read_tflite(self, node: Node) -> Any:
        source, dtype = node.require_dtype(*COMBINATIONS)
        node.require_output_shape(*node.input(0).shape)
        scale, zero = per_tensor(node.output())
        if source == "float32":
            return self.from_float(node.value(0), scale, zero, dtype)
        return self.rescale(node.value(0), per_tensor(node.input(0)), (scale, zero), dtype)

    def from_float(self, x: Any, scale: float, zero: int, dtype: str, ties: str = "away") -> Any:
        """float32 to integers of `dtype`, ties rounded `away` from zero or to `even`."""
        attributes: dict[str, int | str] = {"scale": float32_bits(scale), "zero": zero, "ties": ties}
        return self.call([x], attributes, shape_of(x), dtype)

    def rescale(
        self,
        x: Any,
        source: tuple[float, int],
        target: tuple[float, int],
        dtype: str,
        rounding: str = "twice",
    ) -> Any:
        """Integers of one (scale, zero point) to integers of another."""
        multiplier, shift = quantize_multiplier(source[0] / target[0])
        attributes: dict[str, int | str] = {
            "multiplier": multiplier,
            "shift": shift,
            "input_zero": source[1],
            "zero": target[1],
            "rounding": rounding,
        }
        return self.call([x], attributes, shape_of(x), dtype)

    def evaluate(self, call: Any, values: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any] | None:
        (x,) = values
        bounds = (int(call.attrs["zero"]), *INTEGER_RANGE[dtype_of(call)])
        if dtype_of(call.args[0]) == "float32":
            steps = _steps(x, int(call.attrs["scale"]), str(call.attrs["ties"])) + bounds[0]
            return np.where(np.isnan(steps), bounds[0], steps).clip(*bounds[1:]).astype(dtype_of(call))
        parameters = (int(call.attrs["multiplier"]), int(call.attrs["shift"]))
        offset = int(call.attrs["input_zero"])
        numbers, places = np.unique(x, return_inverse=True)
        if numbers.size > MAXIMUM_NUMBERS:
            return None
        table = [
            requantized_value(call.attrs, int(number) - offset, *parameters, *bounds) for number in numbers
        ]
        return np.array(table, dtype_of(call))[places].reshape(x.shape)

    def lower(self, call: Any, target: Target) -> Kernel:
        source, dtype, shape = dtype_of(call.args[0]), dtype_of(call), shape_of(call) or (1,)
        bounds = (int(call.attrs["zero"]), *INTEGER_RANGE[dtype])

        def body(x: Any, y: Any) -> None:
            with tir.loops(*shape) as position:
                value = x[position]
                if source == "float32":
                    scale = tir.float32_literal(int(call.attrs["scale"]))
                    result = tir.call(
                        "int32", f"rune_quantize_f32_ties_{call.attrs['ties']}", value, scale, *bounds
                    )
                else:
                    centred = tir.cast("int32", value) - int(call.attrs["input_zero"])
                    parameters = (int(call.attrs["multiplier"]), int(call.attrs["shift"]))
                    result = requantize(call.attrs, centred, *parameters, *bounds)
                tir.store(y, position, tir.cast(dtype, result))

        return Kernel(tir.kernel([("x", shape, source), ("y", shape, dtype)], body), call.args)


def _steps(x: np.ndarray[Any, Any], scale_bits: int, ties: str) -> np.ndarray[Any, Any]:
    """round(x / scale), the quotient in float32."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        quotient = (x / float32_of(scale_bits)).astype("float64")
    rounded = np.rint(quotient) if ties == "even" else np.trunc(quotient + np.copysign(0.5, quotient))
    return np.asarray(rounded)


def float32_of(bits: int) -> np.float32:
    """The number that `float32_bits` made."""
    return np.float32(struct.unpack("<f", struct.pack("<i", bits))[0])


def float32_bits(value: float) -> int:
    """The bits of a float32 as a signed integer: attributes carry integers exactly, but not floats."""
    return int(struct.unpack("<i", struct.pack("<f", value))[0])
