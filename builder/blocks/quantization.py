"""What `quantize` and `dequantize` have in common: the two arguments that say what integers stand for."""

from __future__ import annotations

from builder.blocks.rules import integer, limits, number
from container.tensors import ElementType, Quantization
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError

SCALE = Parameter("scale", ParameterKind.NUMBER, "real numbers per step of the integers, greater than 0")
ZERO_POINT = Parameter("zero-point", ParameterKind.INTEGER, "the integer that stands for 0.0; without it 0")

_SMALLEST_SCALE = 2.0**-126
_LARGEST_SCALE = 2.0**127


def argued(use: BlockUse) -> Quantization | None:
    """The quantisation that the arguments give, or None where they give none.  Raises TypeRuleError."""
    scale, zero_point = number(use, SCALE.name), integer(use, ZERO_POINT.name)
    if scale is None:
        if zero_point is not None:
            raise TypeRuleError(
                "there is a zero-point without a scale", hint="give --scale as well", argument=ZERO_POINT.name
            )
        return None
    if not _SMALLEST_SCALE <= scale <= _LARGEST_SCALE:
        raise TypeRuleError(
            f"scale is {scale}, expected {_SMALLEST_SCALE:.3g} to {_LARGEST_SCALE:.3g}", argument=SCALE.name
        )
    return Quantization((float(scale),), (zero_point or 0,))


def check_zero_point(zero_point: int, element: ElementType) -> None:
    """Raises TypeRuleError for a zero point that the integers cannot hold."""
    low, high = limits(element)
    if not low <= zero_point <= high:
        raise TypeRuleError(
            f"zero-point is {zero_point}, which {element.value.upper()} cannot hold: {low} to {high}",
            argument=ZERO_POINT.name,
        )
