"""Sum, extremes, product, and whether any or all are true, over some axes.

The sum of int8 and int16 is M * (sum - n * x_zero) + y_zero, M = scale_x / scale_y; quantised extremes keep
the quantisation.
Source: QuantizedMeanOrSum and ReduceGeneric in tensorflow/lite/kernels/internal/reference/reduce.h.
"""

from __future__ import annotations

from typing import Any, ClassVar

from builder import tir
from builder.families.reduction import Reduction, rescaled_total
from builder.fixed_point import INTEGER_RANGE, quantize_multiplier
from builder.operators.base import Node, Unsupported, dtype_of, per_tensor

QUANTIZED = ("int8", "int16", "uint8")
LARGEST_FLOAT32 = 3.4028234663852886e38


class Sum(Reduction):
    name = "sum"
    tflite = ("SUM",)
    dtypes = ("int8", "int16", "float32")

    def accumulator(self, dtype: str) -> str:
        return "float32" if dtype == "float32" else "int32"

    def attributes(self, node: Node, count: int) -> dict[str, int | str]:
        if node.output().dtype == "float32":
            return {}
        (scale, zero), (target, target_zero) = per_tensor(node.input(0)), per_tensor(node.output())
        multiplier, shift = quantize_multiplier(scale / target)
        return {"multiplier": multiplier, "shift": shift, "offset": -zero * count, "zero": target_zero}

    def start(self, dtype: str) -> Any:
        return tir.literal(dtype, 0)

    def combine(self, total: Any, value: Any) -> Any:
        return total + value

    def finish(self, call: Any, total: Any, count: int) -> Any:
        return total if dtype_of(call) == "float32" else rescaled_total(call, total)


class Product(Reduction):
    name = "reduce_prod"
    tflite = ("REDUCE_PROD",)
    dtypes = ("float32",)

    def start(self, dtype: str) -> Any:
        return tir.literal(dtype, 1)

    def combine(self, total: Any, value: Any) -> Any:
        return total * value


class _Extreme(Reduction):
    dtypes = ("int8", "int16", "uint8", "int32", "float32")
    sign: ClassVar[int]
    """1 where the largest is sought, -1 for the smallest."""

    def attributes(self, node: Node, count: int) -> dict[str, int | str]:
        quantized = node.output().dtype in QUANTIZED
        if quantized and per_tensor(node.input(0)) != per_tensor(node.output()):
            raise Unsupported("input and output differ in scale or zero point; both must have the same")
        return {}

    def start(self, dtype: str) -> Any:
        bounds = INTEGER_RANGE.get(dtype, (-LARGEST_FLOAT32, LARGEST_FLOAT32))
        return tir.literal(dtype, bounds[0 if self.sign > 0 else 1])

    def combine(self, total: Any, value: Any) -> Any:
        return tir.select(value > total if self.sign > 0 else value < total, value, total)


class Maximum(_Extreme):
    name = "reduce_max"
    tflite = ("REDUCE_MAX",)
    sign = 1


class Minimum(_Extreme):
    name = "reduce_min"
    tflite = ("REDUCE_MIN",)
    sign = -1


class AnyTrue(Reduction):
    name = "reduce_any"
    tflite = ("REDUCE_ANY",)
    dtypes = ("bool",)

    def start(self, dtype: str) -> Any:
        return tir.literal(dtype, False)

    def combine(self, total: Any, value: Any) -> Any:
        return tir.either(total, value)


class AllTrue(Reduction):
    name = "reduce_all"
    tflite = ("REDUCE_ALL",)
    dtypes = ("bool",)

    def start(self, dtype: str) -> Any:
        return tir.literal(dtype, True)

    def combine(self, total: Any, value: Any) -> Any:
        return tir.both(total, value)
