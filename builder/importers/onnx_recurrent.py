"""ONNX's recurrent layers, one step after another as the operators of Relax.

The length of the sequence is fixed when building, so the loop over it is written out; the kernels of a step
are the same for all of them.  Source: LSTM, GRU and RNN of the ONNX specification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from tvm import relax

from builder.operators.base import Unsupported, constant, constant_value, dtype_of, is_constant, shape_of

Bind: TypeAlias = Callable[[Any], Any]
"""Binds an expression to a variable."""

MAXIMUM_STEPS = 512
"""A longer sequence, written out, would take minutes to build."""
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "Relu": relax.op.nn.relu,
    "Sigmoid": relax.op.sigmoid,
    "Tanh": relax.op.tanh,
}


@dataclass(frozen=True)
class _Kind:
    gates: int
    states: int
    activations: tuple[str, ...]
    """Of one direction, where the file does not say."""


LSTM = _Kind(gates=4, states=2, activations=("Sigmoid", "Tanh", "Tanh"))
GRU = _Kind(gates=3, states=1, activations=("Sigmoid", "Tanh"))
RNN = _Kind(gates=1, states=1, activations=("Tanh",))


@dataclass(frozen=True)
class _Layer:
    """One direction of a layer."""

    bind: Bind
    hidden: int
    recurrence: Any
    """The transposed weights of the state before [hidden, gates * hidden]."""
    input_bias: Any
    """What is added to the products of the input [gates * hidden]; None for nothing."""
    state_bias: Any
    """What is added to the products of the state before [gates * hidden]; None for nothing."""
    peepholes: Any
    """The weights of the cell state in the gates i, o and f [3 * hidden]; None for nothing."""
    functions: Sequence[Callable[[Any], Any]]

    def add(self, *terms: Any) -> Any:
        total, *rest = [term for term in terms if term is not None]
        for term in rest:
            total = self.bind(relax.op.add(total, term))
        return total

    def multiply(self, a: Any, b: Any) -> Any:
        return self.bind(relax.op.multiply(a, b))

    def activation(self, number: int, value: Any) -> Any:
        return self.bind(self.functions[number](value))

    def gate(self, values: Any, first: int, count: int = 1) -> Any:
        """Some of the gates that lie side by side along the last axis."""
        axis = len(shape_of(values)) - 1
        return _slice(self.bind, values, axis, first * self.hidden, (first + count) * self.hidden)

    def from_state(self, state: Any, first: int = 0, count: int | None = None) -> Any:
        """What the state before adds to some gates, by default to all."""
        weights, bias = self.recurrence, self.state_bias
        if count is not None:
            weights = self.gate(weights, first, count)
            bias = self.gate(bias, first, count) if bias is not None else None
        return self.add(self.bind(relax.op.matmul(state, weights)), bias)

    def peephole(self, number: int, cell: Any) -> Any:
        if self.peepholes is None:
            return None
        return self.multiply(self.gate(self.peepholes, number), cell)


Step: TypeAlias = Callable[[_Layer, Any, Sequence[Any]], list[Any]]
"""From what the input adds to the gates [batch, gates * hidden] and the states before, the states after."""


def long_short_term_memory(bind: Bind, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
    if attrs.get("input_forget", 0):
        raise Unsupported("its input and forget gates are coupled (`input_forget`), which is not supported")
    return _recurrent(bind, inputs, attrs, LSTM, _memory_step)


def gated_recurrent_unit(bind: Bind, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
    step = _late_reset_step if attrs.get("linear_before_reset", 0) else _early_reset_step
    return _recurrent(bind, inputs, attrs, GRU, step)


def plain_recurrent(bind: Bind, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
    return _recurrent(bind, inputs, attrs, RNN, _plain_step)


def _memory_step(layer: _Layer, given: Any, states: Sequence[Any]) -> list[Any]:
    """The gates are i, o, f and c."""
    state, cell = states
    sums = layer.add(given, layer.from_state(state))
    entry = layer.activation(0, layer.add(layer.gate(sums, 0), layer.peephole(0, cell)))
    forget = layer.activation(0, layer.add(layer.gate(sums, 2), layer.peephole(2, cell)))
    candidate = layer.activation(1, layer.gate(sums, 3))
    cell = layer.add(layer.multiply(forget, cell), layer.multiply(entry, candidate))
    output = layer.activation(0, layer.add(layer.gate(sums, 1), layer.peephole(1, cell)))
    return [layer.multiply(output, layer.activation(2, cell)), cell]


def _early_reset_step(layer: _Layer, given: Any, states: Sequence[Any]) -> list[Any]:
    """The gates are z, r and h; r is applied to the state."""
    (state,) = states
    sums = layer.add(layer.gate(given, 0, 2), layer.from_state(state, 0, 2))
    update, reset = (layer.activation(0, layer.gate(sums, number)) for number in (0, 1))
    kept = layer.from_state(layer.multiply(reset, state), 2, 1)
    return _updated(layer, update, layer.add(layer.gate(given, 2), kept), state)


def _late_reset_step(layer: _Layer, given: Any, states: Sequence[Any]) -> list[Any]:
    """The gates are z, r and h; r is applied to what is made of the state."""
    (state,) = states
    from_state = layer.from_state(state)
    sums = layer.add(layer.gate(given, 0, 2), layer.gate(from_state, 0, 2))
    update, reset = (layer.activation(0, layer.gate(sums, number)) for number in (0, 1))
    kept = layer.multiply(reset, layer.gate(from_state, 2))
    return _updated(layer, update, layer.add(layer.gate(given, 2), kept), state)


def _updated(layer: _Layer, update: Any, sums: Any, state: Any) -> list[Any]:
    """(1 - z) h + z H."""
    candidate = layer.activation(1, sums)
    rest = layer.bind(relax.op.subtract(relax.const(1.0, "float32"), update))
    return [layer.add(layer.multiply(rest, candidate), layer.multiply(update, state))]


def _plain_step(layer: _Layer, given: Any, states: Sequence[Any]) -> list[Any]:
    return [layer.activation(0, layer.add(given, layer.from_state(states[0])))]


def _recurrent(bind: Bind, inputs: Sequence[Any], attrs: Mapping[str, Any], kind: _Kind, step: Step) -> Any:
    """Y [steps, directions, batch, hidden], then the last of each state [directions, batch, hidden]."""
    given: list[Any] = [*inputs, *[None] * (8 - len(inputs))]
    direction = _text(attrs.get("direction", "forward"))
    _check(given[0], given[4], attrs, direction)
    directions = DIRECTIONS.get(direction, 1)
    names = [_text(name) for name in attrs.get("activations", kind.activations * directions)]
    sequences, finals = [], []
    for number in range(directions):
        functions = [_activation(name) for name in names[number * len(kind.activations) :]]
        layer = _layer(bind, given, kind, functions, number)
        first = [_initial(layer, given, 5 + k, number) for k in range(kind.states)]
        sums = _projected(layer, given, number)
        is_reverse = direction == "reverse" or number == 1
        sequence, last = _run(layer, step, sums, first, is_reverse=is_reverse)
        sequences.append(sequence)
        finals.append(last)
    steps = [state for together in zip(*sequences, strict=True) for state in together]
    stacked = [_stacked(bind, steps, (len(sequences[0]), directions))]
    stacked += [_stacked(bind, column, (directions,)) for column in zip(*finals, strict=True)]
    return relax.Tuple(stacked)


def _layer(
    bind: Bind,
    inputs: Sequence[Any],
    kind: _Kind,
    functions: Sequence[Callable[[Any], Any]],
    number: int,
) -> _Layer:
    hidden = shape_of(inputs[2])[2]
    recurrence = bind(relax.op.permute_dims(_part(bind, inputs[2], number)))
    biases = _part(bind, inputs[3], number)
    count = kind.gates * hidden
    input_bias, state_bias = (
        None if biases is None else _slice(bind, biases, 0, k * count, (k + 1) * count) for k in (0, 1)
    )
    peepholes = _part(bind, inputs[7], number) if kind.states == 2 else None
    return _Layer(bind, hidden, recurrence, input_bias, state_bias, peepholes, functions)


def _run(
    layer: _Layer, step: Step, given: Sequence[Any], states: Sequence[Any], *, is_reverse: bool
) -> tuple[list[Any], Sequence[Any]]:
    """The first state at each step, in the order of the sequence, and all states at the end."""
    results: dict[int, Any] = {}
    order: Iterable[int] = range(len(given))
    for time in reversed(range(len(given))) if is_reverse else order:
        states = step(layer, given[time], states)
        results[time] = states[0]
    return [results[time] for time in order], states


def _projected(layer: _Layer, inputs: Sequence[Any], number: int) -> list[Any]:
    """What the input adds to the gates at each step, from one product for all of them."""
    x, weights = inputs[0], _part(layer.bind, inputs[1], number)
    steps, batch, depth = shape_of(x)
    rows = layer.bind(relax.op.reshape(x, (steps * batch, depth)))
    transposed = layer.bind(relax.op.permute_dims(weights))
    sums = layer.add(layer.bind(relax.op.matmul(rows, transposed)), layer.input_bias)
    return [_slice(layer.bind, sums, 0, step * batch, (step + 1) * batch) for step in range(steps)]


def _check(x: Any, lengths: Any, attrs: Mapping[str, Any], direction: str) -> None:
    """Raises Unsupported for what is not supported of a layer, whichever of the three it is."""
    steps, batch, _ = shape_of(x)
    if dtype_of(x) != "float32":
        raise Unsupported(f"its input is {dtype_of(x)}; supported: float32")
    if direction not in DIRECTIONS:
        raise Unsupported(f"its direction is {direction!r}; expected {', '.join(DIRECTIONS)}")
    if attrs.get("layout", 0):
        raise Unsupported("its batch comes first (`layout`); supported is the sequence first")
    if "clip" in attrs:
        raise Unsupported("its gates are clipped (`clip`), which is not supported")
    if steps > MAXIMUM_STEPS:
        raise Unsupported(f"a sequence of {steps} steps; at most {MAXIMUM_STEPS} are compiled")
    if lengths is not None and (
        not is_constant(lengths) or constant_value(lengths).tolist() != [steps] * batch
    ):
        raise Unsupported(f"its sequences have lengths of their own; supported: all of {steps} steps")


def _activation(name: str) -> Callable[[Any], Any]:
    if name not in ACTIVATIONS:
        raise Unsupported(f"its activation is {name}; supported: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def _initial(layer: _Layer, inputs: Sequence[Any], position: int, number: int) -> Any:
    """The state before the first step: that input, or zeros."""
    if inputs[position] is not None:
        return _part(layer.bind, inputs[position], number)
    return constant(np.zeros((shape_of(inputs[0])[1], layer.hidden), "float32"))


def _part(bind: Bind, value: Any, number: int) -> Any:
    """One direction of a tensor whose first dimension counts them; None of None."""
    if value is None:
        return None
    part = _slice(bind, value, 0, number, number + 1)
    shape = shape_of(value)[1:]
    if is_constant(part):
        return constant(constant_value(part).reshape(shape))
    return bind(relax.op.reshape(part, shape))


def _slice(bind: Bind, value: Any, axis: int, begin: int, end: int) -> Any:
    if (begin, end) == (0, shape_of(value)[axis]):
        return value
    if is_constant(value):
        return constant(constant_value(value).take(range(begin, end), axis))
    return bind(relax.op.strided_slice(value, [axis], [begin], [end]))


def _stacked(bind: Bind, values: Sequence[Any], dimensions: tuple[int, ...]) -> Any:
    """Values [batch, hidden] as one tensor with `dimensions` before theirs."""
    batch, hidden = shape_of(values[0])
    joined = bind(relax.op.concat(list(values), axis=0)) if len(values) > 1 else values[0]
    return bind(relax.op.reshape(joined, (*dimensions, batch, hidden)))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
