"""LSTM along a sequence, as Keras makes it: no peephole, projection or layer normalisation.

At each step, with x the step's input, h the hidden state and c the cell state:

    i, f, o = sigmoid(Wx + Rh + b), each with weights of its own; g = tanh(Wx + Rh + b)
    c = clip(f * c + i * g);  h = o * tanh(c), which is the step's output

int8 or int16 input: Wx + b and Rh are each brought to int16 with 12 fractional bits and added with
saturation; sigmoid and tanh are the tables of `sigmoid.py`, with 15 fractional bits; f * c and i * g are each
brought to the scale of c, an int16 with a power of two for its scale, and added with saturation; the product
with o is brought to the scale and zero point of the hidden state.  Sums of int8 round twice, those of int16,
in 64 bits, once.  float32: just so.
Both states last from one run to the next.
Source: tensorflow/lite/micro/kernels/lstm_eval.h, lstm_eval.cc and lstm_eval_common.cc.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tflite
from tvm import relax

from builder import tir
from builder.families import float_sums, mcu_rows
from builder.fixed_point import INTEGER_RANGE, quantize_multiplier
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
from builder.operators.quantize import float32_bits
from builder.quantized import bias_constant
from builder.sigmoid import sigmoid_table
from builder.target import Target
from container.abi import Profile

GATES = ("input", "forget", "cell", "output")
"""In the order of their weights and biases among the inputs."""
INPUT_WEIGHTS, RECURRENT_WEIGHTS, BIASES = 1, 5, 12
"""Number of the first gate's input."""
HIDDEN_STATE, CELL_STATE = 18, 19
ABSENT = {"a peephole": (9, 12), "a projection": (16, 18), "layer normalisation": (20, 24)}
"""Inputs that must not be there."""
GATE_SCALE = 2.0**-12
ACTIVATED_SCALE = 2.0**-15
INT16 = INTEGER_RANGE["int16"]
BIAS_DTYPE = {"int8": "int32", "int16": "int64", "float32": "float32"}
"""By the dtype of the input."""


class UnidirectionalSequenceLstm(Operator):
    name = "unidirectional_sequence_lstm"
    tflite = ("UNIDIRECTIONAL_SEQUENCE_LSTM",)

    def read_tflite(self, node: Node) -> Any:
        dtype = node.require_dtype(*((kind, kind) for kind in BIAS_DTYPE))[0]
        options = node.options("UnidirectionalSequenceLSTMOptions")
        _refuse_variants(node, options)
        units = _check_shapes(node, bool(options.TimeMajor()))
        hidden, cell = node.variable(HIDDEN_STATE), node.variable(CELL_STATE)
        _check_states(node, dtype)
        attributes: dict[str, int | str] = {"time_major": int(options.TimeMajor())}
        tables = []
        if dtype == "float32":
            attributes["clip"] = float32_bits(options.CellClip())
        else:
            attributes.update(_quantised(node, float(options.CellClip())))
            tables = [constant(sigmoid_table())]
        weights = [_stacked(node, INPUT_WEIGHTS), _stacked(node, RECURRENT_WEIGHTS)]
        biases = [bias_constant(node, BIASES + gate, units, (BIAS_DTYPE[dtype],)) for gate in range(4)]
        results = [(node.output().shape, dtype)]
        results += [(shape_of(state.parameter), dtype_of(state.parameter)) for state in (hidden, cell)]
        arguments = [node.value(0), *weights, *biases, *tables, hidden.value, cell.value]
        everything = node.emit(self.call_tuple(arguments, attributes, results))
        hidden.value = node.emit(relax.TupleGetItem(everything, 1))
        cell.value = node.emit(relax.TupleGetItem(everything, 2))
        return relax.TupleGetItem(everything, 0)

    def macs(self, call: Any) -> int:
        steps = math.prod(shape_of(call.args[0])[:2])
        return steps * sum(math.prod(shape_of(weights)) for weights in call.args[1:3])

    def lower(self, call: Any, target: Target) -> Kernel:
        if target.profile is Profile.MCU and dtype_of(call.args[0]) == "int8":
            return _in_halfwords(call)
        if dtype_of(call.args[0]) == "float32":
            return _in_lanes(call)
        outer, units = shape_of(call.args[0])[:2], shape_of(call.args[1])[1]
        time_major = bool(call.attrs["time_major"])
        steps, batch = outer if time_major else reversed(outer)

        def body(x: Any, w: Any, r: Any, *rest: Any) -> None:
            *parameters, hidden_before, cell_before, y, hidden, cell = rest
            arithmetic = _Integers(call, parameters)
            _copy_states((hidden_before, cell_before), (hidden, cell), batch, units)
            with tir.loops(batch, steps) as (b, t):
                row = (t, b) if time_major else (b, t)
                with tir.loop(units) as u:
                    sums = [
                        arithmetic.gate(number, u, tir.address(x, *row, 0), w, tir.address(hidden, b, 0), r)
                        for number in range(4)
                    ]
                    tir.store(cell, (b, u), arithmetic.cell(cell[b, u], *sums[:3]))
                    tir.store(y, (*row, u), arithmetic.hidden(cell[b, u], sums[3]))
                # Only now, since every unit looks at the old state of all.
                with tir.loop(units) as u:
                    tir.store(hidden, (b, u), y[(*row, u)])

        arguments = _named_shapes(call, batch, units)
        return Kernel(tir.kernel(arguments, body), call.args, in_place=_in_place(call))


def _in_halfwords(call: Any) -> Kernel:
    """The kernel of boards, from rows as pairs of halfwords."""
    _, w, r, *biases, table, _, _ = call.args
    zeros = np.zeros(len(GATES) * shape_of(w)[1], "int32")
    from_input = mcu_rows.Rows(_by_unit(w), _biases(biases), int(call.attrs["x_zero"]), len(GATES) // 2)
    from_state = mcu_rows.Rows(_by_unit(r), zeros, int(call.attrs["h_zero"]), len(GATES) // 2)
    return _four_gates_at_a_time(call, (from_input, from_state), [table])


def _in_lanes(call: Any) -> Kernel:
    """The kernel of float32, in both profiles."""
    _, w, r, *biases, _, _ = call.args
    zeros = np.zeros(len(GATES) * shape_of(w)[1], "float32")
    rows = float_sums.Rows(_by_unit(w), _biases(biases)), float_sums.Rows(_by_unit(r), zeros)
    return _four_gates_at_a_time(call, rows, [])


def _by_unit(weights: Any) -> np.ndarray[Any, Any]:
    """Weights [gates, units, depth] as rows, those of a unit's gates one after the other."""
    values = constant_value(weights)
    return values.transpose(1, 0, 2).reshape(-1, values.shape[2])


def _biases(biases: Sequence[Any]) -> np.ndarray[Any, Any]:
    return np.stack([constant_value(bias) for bias in biases], axis=1).reshape(-1)


def _four_gates_at_a_time(call: Any, rows: tuple[Any, Any], tables: Sequence[Any]) -> Kernel:
    """A kernel that takes the sums of all gates of a unit at once, over the input and over the state."""
    (x, w, *_, hidden, cell), (from_input, from_state) = call.args, rows
    is_float, time_major = dtype_of(x) == "float32", bool(call.attrs["time_major"])
    steps, batch = shape_of(x)[:2] if time_major else reversed(shape_of(x)[:2])
    units, arithmetic_of = shape_of(w)[1], functools.partial(_Floats if is_float else _Integers, call)
    streams = [constant(each.stream) for each in rows]
    short = relax.Call(call.op, [x, *streams, *tables, hidden, cell], attrs=call.attrs, ret_ty=call.ty)

    def body(x: Any, w: Any, r: Any, *rest: Any) -> None:
        *tables, hidden_before, cell_before, y, hidden, cell = rest
        arithmetic = arithmetic_of(tables)
        columns = from_input.column(), from_state.column()
        sums = [tir.workspace("float32" if is_float else "int32", len(GATES)) for _ in rows]
        _copy_states((hidden_before, cell_before), (hidden, cell), batch, units)
        with tir.loops(batch, steps) as (b, t):
            place = (t, b) if time_major else (b, t)
            x_row = from_input.spread(tir.address(x, *place, 0), columns[0])
            h_row = from_state.spread(tir.address(hidden, b, 0), columns[1])
            with tir.loop(units) as u:
                from_input.sums(x_row, w, u, tir.address(sums[0], 0))
                from_state.sums(h_row, r, u, tir.address(sums[1], 0))
                gates = [arithmetic.activated(gate, sums[0][gate], sums[1][gate]) for gate in range(4)]
                tir.store(cell, (b, u), arithmetic.cell(cell[b, u], *gates[:3]))
                tir.store(y, (*place, u), arithmetic.hidden(cell[b, u], gates[3]))
            # Only now, since every unit looks at the old state of all.
            with tir.loop(units) as u:
                tir.store(hidden, (b, u), y[(*place, u)])

    return Kernel(tir.kernel(_named_shapes(short, batch, units), body), short.args, in_place=_in_place(short))


def _copy_states(before: Sequence[Any], after: Sequence[Any], batch: int, units: int) -> None:
    with tir.loops(batch, units) as position:
        for old, new in zip(before, after, strict=True):
            tir.store(new, position, old[position])


def _named_shapes(call: Any, batch: int, units: int) -> list[tuple[str, tuple[int, ...], str]]:
    """The kernel's buffers: the arguments, then the results; states have two dimensions."""
    *others, hidden, cell = call.args
    buffers = [(f"a{number}", shape_of(value), dtype_of(value)) for number, value in enumerate(others)]
    states = [(name, (batch, units), dtype_of(v)) for name, v in (("hidden", hidden), ("cell", cell))]
    y = call.ty.fields[0]
    after = [(f"{name}_after", shape, dtype) for name, shape, dtype in states]
    return [*buffers, *states, ("y", tuple(int(n) for n in y.shape.values), str(y.dtype)), *after]


def _in_place(call: Any) -> tuple[tuple[int, int], ...]:
    count = len(call.args)
    return ((count - 2, 1), (count - 1, 2))


class _Integers:
    """TIR of one element in fixed point."""

    def __init__(self, call: Any, parameters: Any) -> None:
        *self._biases, self._table = parameters
        self._attributes: Mapping[str, int] = {name: int(value) for name, value in call.attrs.items()}
        self._dtype = dtype_of(call.args[0])
        self._units, self._depth = shape_of(call.args[2])[2], shape_of(call.args[1])[2]

    def gate(self, number: int, unit: Any, x: Any, w: Any, h: Any, r: Any) -> Any:
        """The activated gate, with 15 fractional bits."""
        from_input = self._dot(
            "x", x, tir.address(w, number, unit, 0), self._depth, self._biases[number][unit]
        )
        from_state = self._dot("h", h, tir.address(r, number, unit, 0), self._units, None)
        return self.activated(number, from_input, from_state)

    def activated(self, number: int, from_input: Any, from_state: Any) -> Any:
        """The same from the sums over the input and the state."""
        total = self._gate_scale(f"x{number}", from_input) + self._gate_scale(f"h{number}", from_state)
        function = "rune_tanh_q15" if GATES[number] == "cell" else "rune_sigmoid_q15"
        value = tir.Cell("int32", tir.call("int32", "rune_clamp", total, *INT16) * 3)
        return tir.Cell("int32", tir.call("int32", function, tir.address(self._table, 0), value.value)).value

    def cell(self, before: Any, i: Any, f: Any, g: Any) -> Any:
        kept = self._requantized("forget", f * tir.cast("int32", before), 0, INT16)
        added = self._requantized("input", i * g, 0, INT16)
        clip = self._attributes["clip"]
        total = tir.call("int32", "rune_clamp", kept + added, *INT16)
        bounded = tir.call("int32", "rune_clamp", total, -clip, clip) if clip else total
        return tir.cast("int16", bounded)

    def hidden(self, cell: Any, o: Any) -> Any:
        shift = self._attributes["cell_shift"]
        value = tir.cast("int32", cell) * 3
        value = (
            tir.call("int32", "rune_shift_left", value, shift) if shift >= 0 else self._reduced(value, -shift)
        )
        tanh = tir.call("int32", "rune_tanh_q15", tir.address(self._table, 0), value)
        zero = self._attributes["h_zero"]
        result = self._requantized("output", tanh * o, zero, INTEGER_RANGE[self._dtype])
        return tir.cast(self._dtype, result)

    @staticmethod
    def _reduced(value: Any, shift: int) -> Any:
        """value / 2**shift, ties towards plus infinity."""
        return tir.call("int32", "rune_half_up_shift_right", value, shift)

    def _dot(self, source: str, x: Any, w: Any, count: int, bias: Any) -> Any:
        if self._dtype == "int8":
            total = tir.call("int32", "rune_dot_i8", x, w, count, -self._attributes[f"{source}_zero"])
        else:
            total = tir.call("int64", "rune_dot_i16_wide", x, w, count)
        return total if bias is None else total + bias

    def _gate_scale(self, name: str, total: Any) -> Any:
        function = "rune_requantize" if self._dtype == "int8" else "rune_requantize_wide"
        return tir.call("int32", function, total, *self._multiplier(name), 0, *INT16)

    def _requantized(self, name: str, value: Any, zero: int, bounds: tuple[int, int]) -> Any:
        return tir.call("int32", "rune_requantize", value, *self._multiplier(name), zero, *bounds)

    def _multiplier(self, name: str) -> tuple[int, int]:
        return self._attributes[f"multiplier_{name}"], self._attributes[f"shift_{name}"]


class _Floats:
    """TIR of one element in float32."""

    def __init__(self, call: Any, tables: Any) -> None:
        self._clip = int(call.attrs["clip"])

    def activated(self, number: int, from_input: Any, from_state: Any) -> Any:
        """The gate from the sums over the input, with the bias, and the state."""
        total = from_input + from_state
        if GATES[number] == "cell":
            return tir.Cell("float32", tir.call("float32", "tanhf", total)).value
        one = tir.literal("float32", 1.0)
        return tir.Cell("float32", one / (one + tir.call("float32", "expf", -total))).value

    def cell(self, before: Any, i: Any, f: Any, g: Any) -> Any:
        total = f * before + i * g
        if self._clip <= 0:
            return total
        clip = tir.float32_literal(self._clip)
        return tir.maximum(tir.minimum(total, clip), -clip)

    def hidden(self, cell: Any, o: Any) -> Any:
        return o * tir.call("float32", "tanhf", cell)


def _refuse_variants(node: Node, options: Any) -> None:
    for variant, (first, end) in ABSENT.items():
        if any(node.has_input(position) for position in range(first, end)):
            raise Unsupported(f"an LSTM with {variant}; supported is what Keras makes, without")
    if not node.has_input(INPUT_WEIGHTS):
        raise Unsupported("an LSTM whose input gate is coupled to its forget gate")
    if options.FusedActivationFunction() != tflite.ActivationFunctionType.TANH:
        raise Unsupported(f"activation {options.FusedActivationFunction()}; supported: TANH")


def _check_shapes(node: Node, time_major: bool) -> int:
    """The number of units.  Raises Unsupported where input, weights, states and output do not go together."""
    shape, recurrent = node.input(0).shape, node.input(RECURRENT_WEIGHTS).shape
    if len(shape) != 3 or len(recurrent) != 2 or min(*shape, *recurrent) < 1:
        raise Unsupported(f"an input {list(shape)} with recurrent weights {list(recurrent)}")
    units = recurrent[0]
    wanted = {**dict.fromkeys(range(INPUT_WEIGHTS, 5), (units, shape[2]))}
    wanted.update(dict.fromkeys(range(RECURRENT_WEIGHTS, 9), (units, units)))
    for position, expected in wanted.items():
        if node.constant(position).shape != expected:
            found = list(node.input(position).shape)
            raise Unsupported(f"weights {node.input(position).name!r} are {found}, expected {list(expected)}")
    batch = shape[1] if time_major else shape[0]
    for position in (HIDDEN_STATE, CELL_STATE):
        if math.prod(node.input(position).shape) != batch * units:
            found = list(node.input(position).shape)
            raise Unsupported(f"the state {node.input(position).name!r} is {found}, not {[batch, units]}")
    node.require_output_shape(*shape[:2], units)
    return units


def _check_states(node: Node, dtype: str) -> None:
    found = node.input(HIDDEN_STATE).dtype, node.input(CELL_STATE).dtype
    expected = (dtype, "float32" if dtype == "float32" else "int16")
    if found != expected:
        raise Unsupported(f"the states are {' and '.join(found)}, expected {' and '.join(expected)}")
    weights = {node.input(p).dtype for p in (*range(INPUT_WEIGHTS, 5), *range(RECURRENT_WEIGHTS, 9))}
    if weights != {"float32" if dtype == "float32" else "int8"}:
        raise Unsupported(f"weights of {' and '.join(sorted(weights))} on an input of {dtype}")


def _stacked(node: Node, first: int) -> Any:
    return constant(np.stack([node.constant(first + gate) for gate in range(4)]))


def _quantised(node: Node, cell_clip: float) -> dict[str, int | str]:
    (x, x_zero), (h, h_zero), (c, c_zero) = (
        per_tensor(node.input(position)) for position in (0, HIDDEN_STATE, CELL_STATE)
    )
    if c_zero or (node.input(0).dtype == "int16" and (x_zero or h_zero)):
        raise Unsupported("an int16 tensor of it has a zero point other than 0")
    fraction, exponent = math.frexp(c)
    if fraction != 0.5:
        raise Unsupported(f"the cell state's scale is {c}; expected a power of two")
    reals = {
        "forget": ACTIVATED_SCALE,
        "input": ACTIVATED_SCALE * ACTIVATED_SCALE / c,
        "output": ACTIVATED_SCALE * ACTIVATED_SCALE / h,
    }
    for gate in range(4):
        reals[f"x{gate}"] = x * _weight_scale(node, INPUT_WEIGHTS + gate) / GATE_SCALE
        reals[f"h{gate}"] = h * _weight_scale(node, RECURRENT_WEIGHTS + gate) / GATE_SCALE
    attributes: dict[str, int | str] = {"x_zero": x_zero, "h_zero": h_zero, "cell_shift": 12 + exponent - 1}
    attributes["clip"] = int(min(cell_clip / c, INT16[1])) if cell_clip > 0 else 0
    for name, real in reals.items():
        attributes[f"multiplier_{name}"], attributes[f"shift_{name}"] = quantize_multiplier(real)
    return attributes


def _weight_scale(node: Node, position: int) -> float:
    scale, zero = per_tensor(node.input(position))
    if zero:
        raise Unsupported(f"weights {node.input(position).name!r} have the zero point {zero}; expected 0")
    return scale
