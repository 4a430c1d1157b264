"""From real numbers to the integers that a quantised model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.quantization import SCALE, ZERO_POINT, argued, check_zero_point
from builder.blocks.rules import (
    INTEGERS,
    declared_element,
    element_named,
    limits,
    only_input,
    per_tensor,
)
from container.tensors import ElementType, Quantization, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError

TARGETS = (ElementType.I8, ElementType.U8, ElementType.I16, ElementType.U16)
SOURCES = tuple(element for element in (ElementType.F32, *INTEGERS) if element.bytes <= 4)
RESCALED = (ElementType.I8, ElementType.U8, ElementType.I16, ElementType.U16)


class Quantize(Block):
    """`round(x / scale) + zero-point`, limited to what the output's integers hold.

    Scale and zero point are those of the model that takes the output, unless the arguments give others; so
    is the element type, unless `--type` or the declared output does, and without either it is `I8`.  Ties
    round away from zero, NaN gives the zero point, infinities the limits: as TensorFlow Lite Micro's
    QUANTIZE.  An input that is quantised itself is carried over to the new scale in fixed point, as
    TensorFlow Lite Micro does; other integers are taken as the real numbers they are.
    """

    name = "quantize"
    summary = "real numbers to the integers that stand for them"
    example = "PROC_BLOCK<F32[1,49,10],I8[1,49,10]> q quantize --scale 0.05 --zero-point -12"
    parameters = (
        SCALE,
        ZERO_POINT,
        Parameter(
            "type",
            ParameterKind.TEXT,
            "element type of the output",
            choices=tuple(element.value for element in TARGETS),
        ),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(use, SOURCES, hint="put `cast --type f32` before it")
        if kind.quantization is not None and kind.element not in RESCALED:
            raise TypeRuleError(f"cannot rescale {kind}", hint="put `dequantize` before it", input=0)
        per_tensor(kind.quantization)
        element, quantization = _element(use), _quantization(use)
        check_zero_point(quantization.zero_point[0], element)
        return (TensorType(element, kind.shape, quantization),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder import tir
        from builder.operators.quantize import Quantize as QuantizeOperator

        operator, dtype = QuantizeOperator(), outputs[0].element.dtype
        source, target = per_tensor(use.inputs[0].quantization), per_tensor(outputs[0].quantization)
        assert target is not None
        if source is not None:
            return [emit(operator.rescale(inputs[0], source, target, dtype), self.name)]
        value = inputs[0]
        if use.inputs[0].element.is_integer:
            value = emit.elementwise(lambda x: tir.cast("float32", x), inputs, "cast")
        return [emit(operator.from_float(value, *target, dtype), self.name)]

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        source, target = per_tensor(use.inputs[0].quantization), per_tensor(outputs[0].quantization)
        assert target is not None
        low, high = limits(outputs[0].element)
        if source is not None:
            steps = _rescaled(inputs[0].astype(np.int64) - source[1], source[0] / target[0])
        else:
            steps = _steps(inputs[0].astype(np.float32), target[0])
        return [np.clip(steps + target[1], low, high).astype(outputs[0].element.dtype)]


def _element(use: BlockUse) -> ElementType:
    """Element type of the output: the argument's, the declared, the model's, or I8."""
    if "type" in use.arguments:
        return element_named(use.arguments["type"], "type")
    declared = declared_element(use)
    if declared is not None and declared in TARGETS:
        return declared
    consumer = use.consumer
    return consumer.element if consumer is not None and consumer.element in TARGETS else ElementType.I8


def _quantization(use: BlockUse) -> Quantization:
    quantization = argued(use) or (use.consumer.quantization if use.consumer is not None else None)
    if quantization is None:
        raise TypeRuleError(
            "nothing says what an integer stands for: no --scale, and no quantised model that takes it",
            hint="write --scale 0.05 --zero-point 0, with the numbers of what takes the integers",
        )
    if len(quantization.scale) != 1:
        raise TypeRuleError(f"the model takes {quantization}; one scale for the whole tensor is expected")
    return quantization


def _steps(values: Array, scale: float) -> Array:
    """The nearest integers to `values / scale`, ties away from zero; 0 for NaN."""
    with np.errstate(over="ignore"):
        real = np.clip(np.nan_to_num(values / np.float32(scale), posinf=1e9, neginf=-1e9), -1e9, 1e9)
    towards_zero = np.trunc(real)
    nearest: Array = towards_zero + np.sign(real) * (np.abs(real - towards_zero) >= 0.5)
    return nearest.astype(np.int64)


def _rescaled(values: Array, multiplier: float) -> Array:
    """The product in gemmlowp's fixed point, which rounds twice; see `builder/fixed_point.py`."""
    from builder.fixed_point import quantize_multiplier

    mantissa, shift = quantize_multiplier(multiplier)
    doubled = (values * (1 << max(shift, 0)) * mantissa + (1 << 30)) >> 31
    divisor = 1 << max(-shift, 0)
    nearest: Array = np.sign(doubled) * ((2 * np.abs(doubled) + divisor) // (2 * divisor))
    return nearest
