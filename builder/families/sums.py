"""ADD and SUB: two quantised inputs brought to one scale, combined, and brought to the output's scale."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from builder.families import mcu, simd_sums
from builder.families.elementwise import (
    QUANTIZED,
    Binary,
    Pair,
    at_common_scale,
    bounded,
    common_scale,
    node_activation,
    output_bounds,
    requantized_element,
    same,
    scaling,
    wrapping,
)
from builder.operators.base import Kernel, Node, Unsupported, dtype_of, per_tensor
from builder.target import Target
from container.abi import Profile

LEFT_SHIFT = {"int8": 20, "int16": 15}
"""Bits of headroom that sums are computed with."""


class Sum(Binary):
    """Elements `combine(a, b)`, with a fused activation.

    int8 and int16: both inputs are shifted left by 20 or 15 bits and brought to twice the larger of their
    scales, combined, and brought to the output's scale, each step with the two roundings of `rune_multiply`.
    int32: modulo 2^32; float32: as written.
    """

    options: ClassVar[str]
    """The schema's table of options."""
    int32_activation: ClassVar[bool]
    """Whether the reference applies the fused activation to int32, too."""

    sign: ClassVar[int]
    """Of the second operand."""

    @abstractmethod
    def combine(self, a: Any, b: Any) -> Any:
        """The sum, in the dtype of its arguments."""

    def read_tflite(self, node: Node) -> Any:
        dtype, *_ = node.require_dtype(*same("int8", "int16", "int32", "float32"))
        activation = node_activation(node, self.options)
        if dtype == "float32":
            return self.broadcast_call(node, {"activation": activation})
        if dtype == "int32" and activation != "NONE" and not self.int32_activation:
            raise Unsupported(f"a fused {activation} on int32, which TensorFlow Lite Micro leaves out")
        bounds = output_bounds(node, activation)
        if dtype in QUANTIZED:
            pairs = (per_tensor(node.input(0)), per_tensor(node.input(1)), per_tensor(node.output()))
            bounds = self.quantised(*pairs, bounds, dtype)
        return self.broadcast_call(node, bounds)

    def quantised(
        self, a: Pair, b: Pair, y: Pair, bounds: Mapping[str, int | str], dtype: str = "int8"
    ) -> dict[str, int | str]:
        """Attributes of the call on quantised tensors.  Raises Unsupported."""
        common, attributes = common_scale(a, b)
        back = common / ((1 << LEFT_SHIFT[dtype]) * y[0])
        if back >= 1.0:
            raise Unsupported(
                f"the output scale {y[0]} is too fine for inputs of the scales {a[0]} and {b[0]}"
            )
        return {**attributes, **scaling("y", back), **bounds, "zero": y[1]}

    def lower(self, call: Any, target: Target) -> Kernel:
        if dtype_of(call) != "int8":
            return super().lower(call, target)
        vectors = mcu.add if target.profile is Profile.MCU else simd_sums.add
        return vectors(call, self.sign) or super().lower(call, target)

    def element(self, call: Any, *operands: Any) -> Any:
        dtype = dtype_of(call)
        if dtype == "float32":
            return bounded(call, self.combine(*operands))
        if dtype == "int32":
            return bounded(call, wrapping(self.combine, *operands))
        a, b = (
            at_common_scale(call.attrs, name, value, LEFT_SHIFT[dtype])
            for name, value in zip("ab", operands, strict=True)
        )
        return requantized_element(call, self.combine(a, b))
