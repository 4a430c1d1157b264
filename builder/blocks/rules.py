"""What type rules have in common: what they ask of inputs and arguments, and how they refuse."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TypeAlias

from container.manifest import Argument
from container.tensors import ElementType, Quantization, TensorType
from runefile.signatures import BlockUse, TypeRuleError

FLOATS = (ElementType.F32, ElementType.F64)
SIGNED = (ElementType.I8, ElementType.I16, ElementType.I32, ElementType.I64)
UNSIGNED = (ElementType.U8, ElementType.U16, ElementType.U32, ElementType.U64)
INTEGERS = (*SIGNED, *UNSIGNED)
NUMBERS = (*FLOATS, *INTEGERS)

_LARGEST_F32 = 2.0**128 - 2.0**104

Number: TypeAlias = "int | float"


def only_input(use: BlockUse, elements: Collection[ElementType], hint: str | None = None) -> TensorType:
    """The block's one input, which has one of these element types.  Raises TypeRuleError."""
    if len(use.inputs) != 1:
        raise TypeRuleError(f"takes 1 input, is given {len(use.inputs)}", hint="feed it from one stage")
    (kind,) = use.inputs
    if kind.element not in elements:
        raise TypeRuleError(f"takes {_listed(elements)}, its input is {kind}", hint=hint, input=0)
    return kind


def plain(kind: TensorType, work: str) -> TensorType:
    """A type whose numbers mean themselves.  Raises TypeRuleError for a quantised one."""
    if kind.quantization is not None:
        raise TypeRuleError(
            f"{work}, but the integers of its input {kind} stand for other numbers: {kind.quantization}",
            hint="put the proc block `dequantize` before it",
            input=0,
        )
    return kind


def per_tensor(quantization: Quantization | None) -> tuple[float, int] | None:
    """Scale and zero point.  Raises TypeRuleError where there is a scale for each index of an axis."""
    if quantization is None:
        return None
    if len(quantization.scale) != 1:
        raise TypeRuleError(
            f"its input has {quantization}; one scale and zero point for the whole tensor are expected",
            input=0,
        )
    return quantization.scale[0], quantization.zero_point[0]


def declared_element(use: BlockUse) -> ElementType | None:
    """The element type that the Runefile declares for the first output, if it does."""
    declared = use.declared[0] if use.declared else None
    return declared.element if declared else None


def number(use: BlockUse, name: str) -> Number | None:
    """A finite number that is an argument, or None where it is absent.  Raises TypeRuleError."""
    value = use.arguments.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeRuleError(f"{name} is {value}, expected a finite number", argument=name)
    return value


def integer(use: BlockUse, name: str) -> int | None:
    """An integer that is an argument, or None where it is absent.  Raises TypeRuleError."""
    value = number(use, name)
    if isinstance(value, float):
        raise TypeRuleError(f"{name} is {value}, expected an integer", argument=name)
    return value


def whole(value: Number, kind: TensorType, name: str) -> int:
    """An argument as an element of an integer tensor; `4.0` is `4`.  Raises TypeRuleError."""
    low, high = limits(kind.element)
    if isinstance(value, float) and not value.is_integer():
        raise TypeRuleError(
            f"{name} is {value}, expected a whole number, since its input is {kind}",
            hint="put `cast --type f32` before it to compute with fractions",
            argument=name,
        )
    if not low <= value <= high:
        raise TypeRuleError(
            f"{name} is {value}, which {kind.element.value.upper()} cannot hold: {low} to {high}",
            hint="put `cast` before it for a wider type",
            argument=name,
        )
    return int(value)


def real(value: Number, kind: TensorType, name: str) -> float:
    """An argument as an element of a float tensor.  Raises TypeRuleError for one that is too large for it."""
    if kind.element is ElementType.F32 and abs(value) > _LARGEST_F32:
        raise TypeRuleError(f"{name} is {value}, which F32 cannot hold", argument=name)
    return float(value)


def limits(element: ElementType) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    bits = element.bytes * 8
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if element in SIGNED else (0, (1 << bits) - 1)


def axis_of(kind: TensorType, axis: int, name: str = "axis") -> int:
    """An axis as a number from 0; -1 is the last.  Raises TypeRuleError for one the tensor has not."""
    rank = len(kind.shape)
    if not -rank <= axis < rank:
        axes = f"the axes 0 to {rank - 1} (or -{rank} to -1)" if rank else "no axes"
        raise TypeRuleError(f"{name} is {axis}, its input {kind} has {axes}", argument=name)
    return axis % rank


def element_named(value: Argument, name: str) -> ElementType:
    """The element type that an argument names, in any case.  Raises TypeRuleError."""
    names = [element.value for element in NUMBERS]
    if str(value).lower() not in names:
        raise TypeRuleError(f"{name} is {value}, expected one of {', '.join(names)}", argument=name)
    return ElementType(str(value).lower())


def _listed(elements: Collection[ElementType]) -> str:
    for name, group in (("numbers", NUMBERS), ("integers", INTEGERS), ("floats", FLOATS)):
        if set(elements) == set(group):
            return name
    names = [element.value.upper() for element in elements]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
