"""SVDF: a layer of filters, each of which looks along the features of this run and back over earlier ones.

A filter's feature weights give one number a run; its time weights weigh the numbers of the last `memory`
runs, which are its state; `rank` filters and a bias add up to one unit.

int8: the number is clamp(M1 * sum(wf * (x - x_zero))) + s_zero in the dtype of the state, int8 or int16,
where the sum wraps around; the unit is clamp(M2 * (bias + sum(wt * (s - s_zero))) + y_zero); both products
round twice.  The two scales are computed in float32.  The fused activation is not looked at: the result's own
range stands for it.
float32: the same sums, and the fused activation.
Source: tensorflow/lite/micro/kernels/svdf_common.cc.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tvm import relax

from builder import tir
from builder.families.mcu import words_of
from builder.families.mcu_rows import LARGEST_PAIRS, Rows
from builder.fixed_point import ACTIVATION_BOUNDS, INTEGER_RANGE, quantize_multiplier
from builder.operators.base import (
    Kernel,
    Node,
    Operator,
    Unsupported,
    constant,
    constant_value,
    dtype_of,
    per_tensor,
    shape_of,
)
from builder.quantized import bias_constant, fused_activation
from builder.target import Target
from container.abi import Profile

STATE = 4
"""Number of the state among inputs and arguments."""


class Svdf(Operator):
    name = "svdf"
    tflite = ("SVDF",)

    def read_tflite(self, node: Node) -> Any:
        dtype = node.require_dtype(("int8", "int8", "int8"), ("float32", "float32", "float32"))[0]
        options = node.options("SVDFOptions")
        units = _check_shapes(node, int(options.Rank()))
        state = node.variable(STATE)
        _check_dtypes(node, dtype)
        bias = bias_constant(node, 3, units, ("int32" if dtype == "int8" else "float32",))
        attributes: dict[str, int | str] = {"activation": fused_activation(options)}
        if dtype == "int8":
            attributes = _quantised(node)
        weights = [constant(node.constant(1)), constant(node.constant(2))]
        results = [(node.output().shape, dtype), (shape_of(state.parameter), dtype_of(state.parameter))]
        call = self.call_tuple([node.value(0), *weights, bias, state.value], attributes, results)
        both = node.emit(call)
        state.value = node.emit(relax.TupleGetItem(both, 1))
        return relax.TupleGetItem(both, 0)

    def macs(self, call: Any) -> int:
        batch, depth = shape_of(call.args[0])
        filters, memory = shape_of(call.args[2])
        return batch * filters * (depth + memory)

    def lower(self, call: Any, target: Target) -> Kernel:
        if target.profile is Profile.MCU and dtype_of(call.args[0]) == "int8":
            return _in_halfwords(call)
        batch, depth = shape_of(call.args[0])
        filters, memory = shape_of(call.args[2])
        units = shape_of(call.args[3])[0]
        state_shape, rank = (batch, filters, memory), filters // units
        x_dtype, state_dtype = dtype_of(call.args[0]), dtype_of(call.args[STATE])
        arithmetic = _Integers(call) if x_dtype == "int8" else _Floats(call)

        def body(x: Any, features: Any, times: Any, bias: Any, before: Any, y: Any, after: Any) -> None:
            _shift(before, after, state_shape)
            with tir.loops(batch, filters) as (b, f):
                dot = arithmetic.dot(tir.address(x, b, 0), tir.address(features, f, 0), depth)
                tir.store(after, (b, f, memory - 1), tir.cast(state_dtype, arithmetic.remembered(dot)))
            with tir.loops(batch, units) as (b, unit):
                total = tir.Cell(arithmetic.accumulator, bias[unit])
                with tir.loops(rank, memory) as (r, t):
                    f = unit * rank + r
                    total.add(arithmetic.weighed(times[f, t], after[b, f, t]))
                tir.store(y, (b, unit), arithmetic.result(total.value))

        buffers = [
            ("x", (batch, depth), x_dtype),
            ("features", (filters, depth), x_dtype),
            ("times", (filters, memory), state_dtype),
            ("bias", (units,), arithmetic.accumulator),
            ("before", state_shape, state_dtype),
            ("y", (batch, units), x_dtype),
            ("after", state_shape, state_dtype),
        ]
        return Kernel(tir.kernel(buffers, body), call.args, in_place=((STATE, 1),))


def _in_halfwords(call: Any) -> Kernel:
    """The kernel of boards, from rows as pairs of halfwords."""
    x, features, times, bias, state = call.args
    (batch, depth), (filters, memory) = shape_of(x), shape_of(times)
    units, state_dtype, zero = shape_of(bias)[0], dtype_of(state), int(call.attrs["state_zero"])
    rank, arithmetic = filters // units, _Integers(call)
    pairs = LARGEST_PAIRS if filters > LARGEST_PAIRS else 2
    rows = Rows(constant_value(features), np.zeros(filters, "int32"), int(call.attrs["x_zero"]), pairs)
    # The zero point of what is remembered becomes part of the bias, modulo 2^32 as the sums are.
    weights = constant_value(times).astype(np.int64).reshape(units, -1).sum(axis=1)
    start = words_of(constant_value(bias).astype(np.int64) - zero * weights)

    def body(x: Any, features: Any, times: Any, bias: Any, before: Any, y: Any, after: Any) -> None:
        size = np.dtype(state_dtype).itemsize
        places = (tir.address(before, 0, 0, 0), tir.address(after, 0, 0, 0))
        count = (batch * filters * memory - 1) * size
        tir.evaluate(tir.call("int32", "rune_mcu_move_forward", *places, count, size))
        column, sums = rows.column(), tir.workspace("int32", 2 * pairs)
        with tir.loop(batch) as b:
            row = rows.spread(tir.address(x, b, 0), column)
            with tir.loop(rows.blocks) as block:
                rows.sums(row, features, block, tir.address(sums, 0))
                with tir.loop(2 * pairs) as c, tir.when(block * (2 * pairs) + c < filters):
                    remembered = tir.cast(state_dtype, arithmetic.remembered(sums[c]))
                    tir.store(after, (b, block * (2 * pairs) + c, memory - 1), remembered)
        with tir.loops(batch, units) as (b, unit):
            operands = (tir.address(times, unit * rank, 0), tir.address(after, b, unit * rank, 0))
            function = {"int8": "rune_mcu_dot_i8", "int16": "rune_mcu_dot_i16"}[state_dtype]
            total = tir.Cell("int32", tir.call("int32", function, *operands, rank * memory, bias[unit]))
            tir.store(y, (b, unit), arithmetic.result(total.value))

    buffers = [
        ("x", (batch, depth), "int8"),
        ("features", rows.stream.shape, "int32"),
        ("times", (filters, memory), state_dtype),
        ("bias", (units,), "int32"),
        ("before", (batch, filters, memory), state_dtype),
        ("y", (batch, units), "int8"),
        ("after", (batch, filters, memory), state_dtype),
    ]
    arguments = [x, constant(rows.stream), times, constant(start), state]
    return Kernel(tir.kernel(buffers, body), arguments, in_place=((STATE, 1),))


class _Integers:
    accumulator = "int32"

    def __init__(self, call: Any) -> None:
        self._numbers = {name: int(value) for name, value in call.attrs.items()}
        self._state_range = INTEGER_RANGE[dtype_of(call.args[STATE])]

    def dot(self, x: Any, w: Any, depth: int) -> Any:
        return tir.call("int32", "rune_dot_i8", x, w, depth, -self._numbers["x_zero"])

    def remembered(self, dot: Any) -> Any:
        return self._requantized(dot, 1, 0, self._state_range) + self._numbers["state_zero"]

    def weighed(self, weight: Any, value: Any) -> Any:
        return tir.cast("int32", weight) * (tir.cast("int32", value) - self._numbers["state_zero"])

    def result(self, total: Any) -> Any:
        return tir.cast("int8", self._requantized(total, 2, self._numbers["y_zero"], INTEGER_RANGE["int8"]))

    def _requantized(self, value: Any, step: int, zero: int, bounds: tuple[int, int]) -> Any:
        parameters = self._numbers[f"multiplier_{step}"], self._numbers[f"shift_{step}"]
        return tir.call("int32", "rune_requantize", value, *parameters, zero, *bounds)


class _Floats:
    accumulator = "float32"

    def __init__(self, call: Any) -> None:
        self._bounds = ACTIVATION_BOUNDS[str(call.attrs["activation"])]

    def dot(self, x: Any, w: Any, depth: int) -> Any:
        return tir.call("float32", "rune_dot_f32", x, w, depth)

    def remembered(self, dot: Any) -> Any:
        return dot

    def weighed(self, weight: Any, value: Any) -> Any:
        return weight * value

    def result(self, total: Any) -> Any:
        return tir.clamp(total, *self._bounds)


def _shift(before: Any, after: Any, shape: tuple[int, int, int]) -> None:
    """Everything moves back by one run; what leaves a filter's memory lands where the newest number will.

    In order, so that it may be done in place.
    """
    batch, filters, memory = shape
    with tir.loops(batch, filters, memory - 1) as (b, f, t):
        tir.store(after, (b, f, t), before[b, f, t + 1])


def _check_shapes(node: Node, rank: int) -> int:
    """The number of units.  Raises Unsupported when input, weights, state and rank do not go together."""
    x, features, times = (node.input(position).shape for position in range(3))
    fits = len(x) == len(features) == len(times) == 2 and features == (times[0], x[1])
    if not fits or min(*x, *times) < 1 or rank < 1 or times[0] % rank:
        raise Unsupported(
            f"an input {list(x)}, feature weights {list(features)}, time weights {list(times)}, rank {rank}"
        )
    if math.prod(node.input(STATE).shape) != x[0] * math.prod(times):
        raise Unsupported(f"a state {list(node.input(STATE).shape)} with time weights {list(times)}")
    node.require_output_shape(x[0], times[0] // rank)
    return times[0] // rank


def _check_dtypes(node: Node, dtype: str) -> None:
    """Time weights and state are of one dtype."""
    found = (node.input(2).dtype, node.input(STATE).dtype)
    expected = ("int8", "int16") if dtype == "int8" else (dtype,)
    if found not in [(kind, kind) for kind in expected]:
        raise Unsupported(
            f"time weights and state are {' and '.join(found)}; expected both {' or '.join(expected)}"
        )


def _quantised(node: Node) -> dict[str, int | str]:
    (x, x_zero), (features, _), (times, _), (state, state_zero) = (
        per_tensor(node.input(position)) for position in (0, 1, 2, STATE)
    )
    y, y_zero = per_tensor(node.output())
    scales = np.array([x, features, times, state, y], "float32")
    first = float(scales[0] * scales[1] / scales[3])
    second = float(scales[3] * scales[2] / scales[4])
    attributes: dict[str, int | str] = {"x_zero": x_zero, "state_zero": state_zero, "y_zero": y_zero}
    for step, real in ((1, first), (2, second)):
        attributes[f"multiplier_{step}"], attributes[f"shift_{step}"] = quantize_multiplier(real)
    return attributes
