"""What element-wise operators share: loops with broadcasting, and their elements' integer arithmetic."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from builder import tir
from builder.access_order import Overlap, elementwise_distance
from builder.fixed_point import ACTIVATION_BOUNDS, INTEGER_RANGE, activation_range, quantize_multiplier
from builder.operators.base import (
    Kernel,
    Node,
    Operator,
    Unsupported,
    dtype_of,
    element_bytes,
    per_tensor,
    shape_of,
)
from builder.quantized import fused_activation, requantize, requantized_value
from builder.target import Target
from container.abi import Failure

QUANTIZED = ("int8", "int16")
"""Dtypes whose elements stand for real numbers by a scale and a zero point."""


class Elementwise(Operator):
    """Each element of the result follows from the arguments' elements there, by NumPy's broadcasting."""

    arity: ClassVar[int]
    """Arguments that are read element by element; those after them are whole tables."""

    @abstractmethod
    def element(self, call: Any, *operands: Any) -> Any:
        """An element of the result, in its dtype, as TIR; operands are elements, then tables."""

    def refused(self, call: Any, *operands: Any) -> Any:
        """The condition, as TIR, under which there is no result and the stage fails; None for never."""
        return None

    def lower(self, call: Any, target: Target) -> Kernel:
        inputs, tables = call.args[: self.arity], call.args[self.arity :]
        *shapes, extents = merged_dimensions([*map(shape_of, inputs), shape_of(call)])

        def body(*buffers: Any) -> None:
            *arguments, result = buffers
            with tir.loops(*extents) as position:
                operands = [
                    buffer[broadcast(shape, position)]
                    for buffer, shape in zip(arguments[: self.arity], shapes, strict=True)
                ]
                self._store(call, result, position, [*operands, *arguments[self.arity :]])

        arguments = [
            (f"x{i}", shape, dtype_of(x)) for i, (x, shape) in enumerate(zip(inputs, shapes, strict=True))
        ]
        whole = [(f"table{i}", shape_of(table), dtype_of(table)) for i, table in enumerate(tables)]
        buffers = [*arguments, *whole, ("y", extents, dtype_of(call))]
        # What is broadcast is read again; of the rest, element i is read for element i of the result.
        overlaps = [
            Overlap(number, 0, elementwise_distance(math.prod(extents), *map(element_bytes, (x, call))))
            for number, (x, shape) in enumerate(zip(inputs, shapes, strict=True))
            if tuple(shape) == tuple(extents)
        ]
        return Kernel(tir.kernel(buffers, body), call.args, overlaps=overlaps)

    def _store(self, call: Any, result: Any, position: Sequence[Any], operands: Sequence[Any]) -> None:
        refused = self.refused(call, *operands)
        if refused is not None:
            with tir.when(refused):
                tir.fail(Failure.VALUE)
        tir.store(result, position, self.element(call, *operands))


class Unary(Elementwise):
    """One argument, of the shape of the result."""

    arity = 1

    def same_shape_call(
        self, node: Node, attributes: Mapping[str, int | str], tables: Sequence[Any] = ()
    ) -> Any:
        """The call on a node's input and on tables.  Raises Unsupported when the output has another shape."""
        node.require_output_shape(*node.input(0).shape)
        return self.call([node.value(0), *tables], attributes, node.output().shape, node.output().dtype)


class Binary(Elementwise):
    """Two arguments, broadcast against each other."""

    arity = 2

    def broadcast_call(self, node: Node, attributes: Mapping[str, int | str]) -> Any:
        """The call on a node's two inputs.  Raises Unsupported when the shapes do not fit."""
        shape = broadcast_shapes(node.input(0).shape, node.input(1).shape)
        node.require_output_shape(*shape)
        return self.call([node.value(0), node.value(1)], attributes, shape, node.output().dtype)


def merged_dimensions(shapes: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """The shapes, of which the last is what the others broadcast to, with as few dimensions as say the same.

    Neighbouring dimensions become one where each tensor either has both or repeats itself along both, so
    that a kernel's loops are few and long.
    """
    rank = len(shapes[-1])
    aligned = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    columns: list[tuple[int, ...]] = []
    for column in zip(*aligned, strict=True):
        if column[-1] == 1:
            continue
        if columns and _kept(columns[-1]) == _kept(column):
            columns[-1] = tuple(a * b for a, b in zip(columns[-1], column, strict=True))
        else:
            columns.append(column)
    return list(zip(*(columns or [(1,) * len(shapes)]), strict=True))


def _kept(column: Sequence[int]) -> tuple[bool, ...]:
    """Which tensors have a dimension, and do not repeat themselves along it."""
    return tuple(size != 1 for size in column)


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that tensors broadcast to, by NumPy's rules.  Raises Unsupported."""
    try:
        return tuple(int(size) for size in np.broadcast_shapes(*map(tuple, shapes)))
    except ValueError as fault:
        listed = " and ".join(str(list(shape)) for shape in shapes)
        raise Unsupported(f"inputs of {listed} do not broadcast") from fault


def broadcast(shape: Sequence[int], position: Sequence[Any]) -> tuple[Any, ...]:
    """Where a tensor of `shape` is read for the result's element at `position`, of the same rank."""
    return tuple(0 if size == 1 else index for size, index in zip(shape, position, strict=True))


def rows_and_depth(shape: Sequence[int]) -> tuple[int, int]:
    """A shape as a matrix, whose rows lie along the last axis."""
    return (math.prod(shape[:-1]), shape[-1]) if shape else (1, 1)


def same(*dtypes: str, inputs: int = 2) -> tuple[tuple[str, ...], ...]:
    """The combinations, for `Node.require_dtype`, in which inputs and output have one of the dtypes."""
    return tuple((dtype,) * (inputs + 1) for dtype in dtypes)


def require_zero_point_0(node: Node, dtype: str, inputs: int) -> None:
    """Raises Unsupported where an int16 operator's tensor is not symmetric."""
    tensors = [node.input(position) for position in range(inputs)] + [node.output()]
    for tensor in tensors if dtype == "int16" else []:
        if per_tensor(tensor)[1] != 0:
            raise Unsupported(f"tensor {tensor.name!r} is int16 with a zero point other than 0")


def require_equal_quantization(node: Node, positions: Sequence[int]) -> None:
    """Raises Unsupported unless inputs and output stand for real numbers alike, or not at all."""
    for position in positions:
        tensor = node.input(position)
        if tensor.quantization != node.output().quantization:
            raise Unsupported(
                f"tensor {tensor.name!r} has another quantisation than the output {node.output().name!r}; "
                "the operator does not convert"
            )


def node_activation(node: Node, table: str) -> str:
    """The fused activation; `NONE` where the node has no options."""
    options = node.operator.options(table)
    return "NONE" if options is None else fused_activation(options)


def output_bounds(node: Node, activation: str) -> dict[str, int | str]:
    """`low` and `high` of a quantised or plain integer output after its fused activation."""
    dtype = node.output().dtype
    scale, zero = per_tensor(node.output()) if dtype in QUANTIZED else (1.0, 0)
    low, high = activation_range(activation, scale, zero, dtype)
    return {"low": low, "high": high}


def bounded(call: Any, value: Any) -> Any:
    """A value after the fused activation: `activation` of a float32 call, else `low` and `high`."""
    if dtype_of(call) == "float32":
        return tir.clamp(value, *ACTIVATION_BOUNDS[str(call.attrs["activation"])])
    bounds = (int(call.attrs["low"]), int(call.attrs["high"]))
    if bounds == INTEGER_RANGE[dtype_of(call)]:
        return value
    return tir.call("int32", "rune_clamp", value, *bounds)


def wrapping(operation: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    """An int32 operation modulo 2^32, as machines compute it; C leaves the overflow of signed ones open."""
    return tir.cast("int32", operation(tir.cast("uint32", a), tir.cast("uint32", b)))


def scaling(name: str, real: float) -> dict[str, int | str]:
    """Attributes `multiplier_NAME` and `shift_NAME` of a real factor."""
    multiplier, shift = quantize_multiplier(real)
    return {f"multiplier_{name}": multiplier, f"shift_{name}": shift}


def scaled(attributes: Mapping[str, Any], name: str, value: Any) -> Any:
    """An int32 times the factor called `name`, as TIR."""
    parameters = (int(attributes[f"multiplier_{name}"]), int(attributes[f"shift_{name}"]))
    return tir.call("int32", "rune_multiply", value, *parameters)


def factor_by_sign(attributes: Mapping[str, Any], value: Any) -> tuple[Any, Any]:
    """Multiplier and shift, as TIR, of the factor called `p` where a value is not negative, else of `n`."""
    multiplier, shift = (
        tir.select(value >= 0, int(attributes[f"{part}_p"]), int(attributes[f"{part}_n"]))
        for part in ("multiplier", "shift")
    )
    return multiplier, shift


def centred(attributes: Mapping[str, Any], name: str, value: Any) -> Any:
    """An element's distance from its zero point, `zero_NAME`, as an int32."""
    return tir.cast("int32", value) - int(attributes[f"zero_{name}"])


def requantized_element(call: Any, value: Any) -> Any:
    """An int32 times the factor called `y`, offset by `zero` and clamped, in the call's dtype."""
    names = ("multiplier_y", "shift_y", "zero", "low", "high")
    return tir.cast(dtype_of(call), requantize(call.attrs, value, *(int(call.attrs[name]) for name in names)))


def requantized_number(attributes: Mapping[str, Any], value: int, factor: str = "y") -> int:
    """What `requantized_element` computes, of a number known when building; or by another factor."""
    names = (f"multiplier_{factor}", f"shift_{factor}", "zero", "low", "high")
    return requantized_value(attributes, value, *(int(attributes[name]) for name in names))


Pair = tuple[float, int]
"""Scale and zero point."""


def common_scale(a: Pair, b: Pair) -> tuple[float, dict[str, int | str]]:
    """Twice the larger of two scales, and the attributes that bring both inputs to it."""
    twice_larger = 2 * max(a[0], b[0])
    attributes: dict[str, int | str] = {"zero_a": a[1], "zero_b": b[1]}
    for name, (scale, _) in (("a", a), ("b", b)):
        attributes.update(scaling(name, scale / twice_larger))
    return twice_larger, attributes


def at_common_scale(attributes: Mapping[str, Any], name: str, value: Any, left_shift: int) -> Any:
    """An element of input `name` at the common scale, with `left_shift` more bits."""
    return scaled(attributes, name, centred(attributes, name, value) * (1 << left_shift))
