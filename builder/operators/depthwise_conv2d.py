"""Depthwise convolution over NHWC images: each input channel has `multiplier` filters of its own (weights
1HWO).

int8: output channel o reads input channel o // multiplier; rounding as in `conv2d`.
Source: tensorflow/lite/kernels/internal/reference/integer_ops/depthwise_conv.h, DepthwiseConvPerChannel.
float32: y = clamp(b[o] + sum(x * w)).
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families import float_sums, mcu, mcu_depthwise, mcu_int16, simd, simd_depthwise
from builder.families.weighted_sum import Arithmetic, WeightedSum
from builder.families.window import Window, taps, tflite_window
from builder.operators.base import Kernel, Node, Unsupported, shape_of
from builder.target import Target
from container.abi import Profile


class DepthwiseConv2D(WeightedSum):
    name = "depthwise_conv2d"
    tflite = ("DEPTHWISE_CONV_2D",)
    options_table = "DepthwiseConv2DOptions"
    channel_axis = 3

    def geometry(self, node: Node, options: Any) -> dict[str, int | str]:
        weights, shape = node.constant(1).shape, node.input(0).shape
        if len(weights) != 4:
            raise Unsupported(f"weights of the shape {list(weights)}; four dimensions are expected")
        window = tflite_window(node, options, weights[1:3], weights[3])
        if weights[0] != 1 or shape[3] < 1 or weights[3] % shape[3]:
            raise Unsupported(f"weights {list(weights)} on an input of {shape[3]} channels")
        return window.attributes()

    def is_asymmetric(self, node: Node, options: Any) -> bool:
        if not super().is_asymmetric(node, options) and node.output().shape[3] > 1:
            # The reference reads a scale for each channel even where the file has one.
            raise Unsupported(f"float32 input and int8 weights {node.input(1).name!r} with a single scale")
        return True

    def macs(self, call: Any) -> int:
        batch, height, width, channels = shape_of(call)
        _, kernel_height, kernel_width, _ = shape_of(call.args[1])
        return batch * height * width * channels * kernel_height * kernel_width

    def lower(self, call: Any, target: Target) -> Kernel:
        channels = shape_of(call)[3]
        one_each = channels == shape_of(call.args[0])[3] and channels >= simd.LANES
        if target.profile is Profile.SIMD and one_each and simd.fits(call, self.channel_axis):
            window = Window.from_attributes(call.attrs)
            if simd_depthwise.fits(call, window):
                return simd_depthwise.depthwise(call, window)
            return simd.depthwise(call, window)
        if float_sums.fits(call):
            found = float_sums.depthwise(call, Window.from_attributes(call.attrs))
        else:
            found = self._on_board(call, target)
        return found or super().lower(call, target)

    def shares_rows(self, call: Any, target: Target) -> bool:
        window = Window.from_attributes(call.attrs)
        scaled = mcu.scaling(call, self.channel_axis) if target.profile is Profile.MCU else None
        if scaled is None or shape_of(call.args[0])[3] == 1:
            return scaled is not None
        # A higher window is computed along its columns, whose padding is a constant.
        is_wide = window.kernel_height <= window.kernel_width
        return is_wide and mcu.depthwise(call, scaled, window, target.blockings) is not None

    def _on_board(self, call: Any, target: Target) -> Kernel | None:
        """The kernel of boards; None where none fits."""
        if target.profile is not Profile.MCU:
            return None
        window, is_plain = Window.from_attributes(call.attrs), shape_of(call.args[0])[3] == 1
        if scaled := mcu.scaling(call, self.channel_axis):
            if mcu_depthwise.fits(call, window):
                return mcu_depthwise.depthwise(call, scaled, window)
            return (mcu.convolution if is_plain else mcu.depthwise)(call, scaled, window, target.blockings)
        if wide := mcu_int16.scaling(call, self.channel_axis):
            return (mcu_int16.convolution if is_plain else mcu_int16.depthwise)(call, wide, window)
        return None

    def accumulate(
        self, call: Any, arithmetic: Arithmetic, buffers: tuple[Any, Any], position: Any, total: tir.Cell
    ) -> None:
        x, w = buffers
        n, oy, ox, o = position
        window = Window.from_attributes(call.attrs)
        _, height, width, depth = shape_of(call.args[0])
        channel = tir.floor_divide(o, shape_of(call)[3] // depth)
        top = oy * window.stride_height - window.pad_top
        left = ox * window.stride_width - window.pad_left
        with (
            taps(window.kernel_height, height, top, window.dilation_height) as (ky, iy),
            taps(window.kernel_width, width, left, window.dilation_width) as (kx, ix),
        ):
            total.add(arithmetic.product(x[n, iy, ix, channel], w[0, ky, kx, o]))
