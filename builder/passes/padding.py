"""A border of the value that stands for 0, and the convolution behind it, become one convolution.

To an integer convolution such a border is what lies outside of its image: taps that fall on either add
(zero - zero) * w = 0, and integers add up to the same in any order.  Floats do not, so theirs stay.
"""

from __future__ import annotations

from typing import Any

from builder.operators import by_name
from builder.operators.base import constant_value, dtype_of, is_constant, shape_of
from builder.passes.rewriting import Rewriter, is_call, rewrite

CONVOLUTIONS = ("rune.conv2d", "rune.depthwise_conv2d")


def merge_padding(module: Any) -> Any:
    """The module with explicit borders as padding of the convolutions that take them."""
    return rewrite(module, (padded_convolution,))


def padded_convolution(rewriter: Rewriter, call: Any) -> Any:
    if not is_call(call, *CONVOLUTIONS) or "input_zero" not in call.attrs.keys():  # noqa: SIM118
        return None
    pad = rewriter.producer(call.args[0], "rune.pad")
    if pad is None or not _is_border_of(pad, int(call.attrs["input_zero"])):
        return None
    _, top, left, _ = map(int, pad.attrs["before"])
    attributes = dict(call.attrs.items())
    attributes["pad_top"] = int(attributes["pad_top"]) + top
    attributes["pad_left"] = int(attributes["pad_left"]) + left
    operator = by_name()[call.op.name]
    arguments = [pad.args[0], *call.args[1:]]
    return rewriter.emit(operator.call(arguments, attributes, shape_of(call), dtype_of(call)))


def _is_border_of(pad: Any, zero: int) -> bool:
    """Whether a `pad` of an NHWC image surrounds height and width, and nothing else, with `zero`."""
    inner, outer = shape_of(pad.args[0]), shape_of(pad)
    if len(outer) != 4 or (inner[0], inner[3]) != (outer[0], outer[3]) or not is_constant(pad.args[1]):
        return False
    return int(constant_value(pad.args[1]).reshape(())) == zero
