"""Two-dimensional convolution over NHWC images with OHWI weights, grouped where the input is deeper than a
filter.

int8: y = clamp(M[o] * (b[o] + sum((x - x_zero) * w)) + y_zero), with the two roundings of `rune_multiply` and
M[o] = scale_x * scale_w[o] / scale_y; taps that fall outside of the image add nothing.
Source: tensorflow/lite/kernels/internal/reference/integer_ops/conv.h, ConvPerChannel.
float32: y = clamp(b[o] + sum(x * w)); with int8 weights the input is quantised at run time.
"""

from __future__ import annotations

from typing import Any

from builder import tir
from builder.families import float_sums, mcu, mcu_int16, mcu_winograd, simd, simd_spread, simd_winograd
from builder.families.weighted_sum import Arithmetic, WeightedSum
from builder.families.window import SHARED_PAD, Window, inside, taps, tflite_window
from builder.operators.base import Kernel, Node, Unsupported, shape_of
from builder.target import Target
from container.abi import Profile
from container.manifest import Optimization


class Conv2D(WeightedSum):
    name = "conv2d"
    tflite = ("CONV_2D",)
    options_table = "Conv2DOptions"
    channel_axis = 0

    def geometry(self, node: Node, options: Any) -> dict[str, int | str]:
        weights, shape = node.constant(1).shape, node.input(0).shape
        if len(weights) != 4:
            raise Unsupported(f"weights of the shape {list(weights)}; four dimensions are expected")
        window = tflite_window(node, options, weights[1:3], weights[0])
        filters, depth = weights[0], weights[3]
        if depth < 1 or shape[3] % depth or filters % (shape[3] // depth):
            raise Unsupported(
                f"weights {list(weights)} do not part an input of {shape[3]} channels into groups"
            )
        return window.attributes()

    def macs(self, call: Any) -> int:
        batch, height, width, channels = shape_of(call)
        _, kernel_height, kernel_width, depth = shape_of(call.args[1])
        return batch * height * width * channels * kernel_height * kernel_width * depth

    def lower(self, call: Any, target: Target) -> Kernel:
        window = Window.from_attributes(call.attrs)
        ungrouped = shape_of(call.args[1])[3] == shape_of(call.args[0])[3]
        if (
            target.profile is Profile.SIMD
            and ungrouped
            and window.dilation_width == 1
            and simd.fits(call, self.channel_axis)
        ):
            if simd_spread.is_pointwise(call, window):
                return simd_spread.pointwise(call, window)
            if target.optimization is not Optimization.SIZE and simd_winograd.fits(call, window):
                return simd_winograd.convolution(call, window)
            if simd_spread.fits(call):
                return simd_spread.convolution(call, window)
            return simd.convolution(call, window)
        if target.profile is Profile.MCU and ungrouped:
            if scaled := mcu.scaling(call, self.channel_axis):
                if self._transforms(call, scaled, target):
                    return mcu_winograd.convolution(call, scaled, window)
                return mcu.convolution(call, scaled, window, target.blockings)
            if halfwords := mcu_int16.scaling(call, self.channel_axis):
                return mcu_int16.convolution(call, halfwords, window)
        if ungrouped and float_sums.fits(call):
            return float_sums.convolution(call, window) or super().lower(call, target)
        return super().lower(call, target)

    def shares_rows(self, call: Any, target: Target) -> bool:
        ungrouped = shape_of(call.args[1])[3] == shape_of(call.args[0])[3]
        if target.profile is not Profile.MCU or not ungrouped:
            return False
        scaled = mcu.scaling(call, self.channel_axis)
        return scaled is not None and not self._transforms(call, scaled, target)

    def _transforms(self, call: Any, scaled: mcu.Scaling, target: Target) -> bool:
        """Whether boards compute a convolution without groups by fewer products and larger filters."""
        window = Window.from_attributes(call.attrs)
        # Calls that share a kernel differ in their padding, which this one has as a constant.
        is_alone = SHARED_PAD not in call.attrs.keys()  # noqa: SIM118
        is_fast = target.optimization is Optimization.SPEED and is_alone
        return is_fast and mcu_winograd.is_best(call, scaled, window, target.blockings)

    def accumulate(
        self, call: Any, arithmetic: Arithmetic, buffers: tuple[Any, Any], position: Any, total: tir.Cell
    ) -> None:
        x, w = buffers
        n, oy, ox, o = position
        window = Window.from_attributes(call.attrs)
        _, height, width, input_depth = shape_of(call.args[0])
        filters, _, _, depth = shape_of(call.args[1])
        channel = tir.floor_divide(o, filters // (input_depth // depth)) * depth
        top = oy * window.stride_height - window.pad_top
        left = ox * window.stride_width - window.pad_left
        # The taps of a row lie side by side in memory unless groups or dilation part them.
        whole_rows = window.dilation_width == 1 and depth == input_depth
        with taps(window.kernel_height, height, top, window.dilation_height) as (ky, iy):
            if whole_rows:
                first, last = inside(window.kernel_width, width, left, 1)
                start = (tir.address(x, n, iy, left + first, 0), tir.address(w, o, ky, first, 0))
                total.add(arithmetic.dot(*start, (last - first) * depth))
            else:
                with taps(window.kernel_width, width, left, window.dilation_width) as (kx, ix):
                    start = (tir.address(x, n, iy, ix, channel), tir.address(w, o, ky, kx, 0))
                    total.add(arithmetic.dot(*start, depth))
