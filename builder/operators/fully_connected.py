"""Fully connected layer: the input, whatever its rank, is rows of as many values as the weights [units,
depth] have.

int8: y = clamp(M * (b[o] + sum((x - x_zero) * (w - w_zero))) + y_zero), M per tensor or per unit, rounded
twice as in TensorFlow Lite Micro (LiteRT's own reference rounds once and differs in the last bit); with M per
unit w_zero is 0.
Source: tensorflow/lite/kernels/internal/reference/integer_ops/fully_connected.h.
float32: y = clamp(b[o] + sum(x * w)); with int8 weights the input is quantised at run time, row by row.
"""

from __future__ import annotations

import math
from typing import Any

import tflite
from tvm import relax

from builder import tir
from builder.families import float_sums, mcu, mcu_int16, simd, simd_dense
from builder.families.weighted_sum import COMBINATIONS, Arithmetic, WeightedSum
from builder.operators.base import Kernel, Node, Unsupported, shape_of
from builder.target import Target
from container.abi import Profile


class FullyConnected(WeightedSum):
    name = "fully_connected"
    tflite = ("FULLY_CONNECTED",)
    options_table = "FullyConnectedOptions"
    channel_axis = 0
    combinations = COMBINATIONS

    def read_tflite(self, node: Node) -> Any:
        units, depth = self._weights(node)
        rows = math.prod(node.input(0).shape) // depth
        if math.prod(node.output().shape) != rows * units:
            raise Unsupported(f"a result of {list(node.output().shape)} from {rows} rows and {units} units")
        x = node.emit(relax.op.reshape(node.value(0), (rows, depth)))
        y = node.emit(self.read(node, x, (rows, units)))
        return relax.op.reshape(y, node.output().shape)

    def geometry(self, node: Node, options: Any) -> dict[str, int | str]:
        if options.WeightsFormat() != tflite.FullyConnectedOptionsWeightsFormat.DEFAULT:
            raise Unsupported("its weights are shuffled (4x16); export the model without that format")
        return {}

    def weight_zero(self, node: Node) -> int:
        quantization = node.input(1).quantization
        if node.input(0).dtype == "int8" and quantization is not None and len(quantization.scale) == 1:
            return quantization.zero_point[0]
        return super().weight_zero(node)

    def is_asymmetric(self, node: Node, options: Any) -> bool:
        return bool(options.AsymmetricQuantizeInputs())

    def macs(self, call: Any) -> int:
        rows, units = shape_of(call)
        return rows * units * shape_of(call.args[1])[1]

    def lower(self, call: Any, target: Target) -> Kernel:
        if target.profile is Profile.SIMD and simd.fits(call, self.channel_axis):
            return simd_dense.fully_connected(call) if simd_dense.fits(call) else simd.fully_connected(call)
        if target.profile is Profile.MCU:
            if scaled := mcu.scaling(call, self.channel_axis):
                return mcu.fully_connected(call, scaled, target.blockings)
            if halfwords := mcu_int16.scaling(call, self.channel_axis):
                return mcu_int16.fully_connected(call, halfwords)
        if float_sums.fits(call):
            return float_sums.fully_connected(call) or super().lower(call, target)
        return super().lower(call, target)

    def accumulate(
        self, call: Any, arithmetic: Arithmetic, buffers: tuple[Any, Any], position: Any, total: tir.Cell
    ) -> None:
        x, w = buffers
        row, unit = position
        depth = shape_of(call.args[1])[1]
        total.add(arithmetic.dot(tir.address(x, row, 0), tir.address(w, unit, 0), depth))

    @staticmethod
    def _weights(node: Node) -> tuple[int, int]:
        shape = node.constant(1).shape
        if len(shape) != 2 or min(shape) < 1 or math.prod(node.input(0).shape) % shape[1]:
            raise Unsupported(f"weights {list(shape)} on an input of {list(node.input(0).shape)}")
        return shape[0], shape[1]
