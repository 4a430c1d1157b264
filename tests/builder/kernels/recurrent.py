"""SVDF and LSTM as calls of ours, their state given and handed on explicitly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tvm import relax

from builder.operators.base import constant
from builder.operators.quantize import float32_bits
from builder.operators.svdf import Svdf
from builder.operators.unidirectional_sequence_lstm import GATES, UnidirectionalSequenceLstm
from builder.sigmoid import sigmoid_table
from tests.builder.kernels.calls import Bind, Express
from tests.builder.kernels.vectors import Array, Case
from tests.builder.kernels.windows import clipped

CELL_FRACTION_BITS = 12
"""Of a gate's sum, which the cell state's scale is brought to before tanh."""


def svdf_inputs(case: Case) -> tuple[Array, ...]:
    """One input for each run; what is expected is the result of the last."""
    steps = case.array("input_sequence").reshape(
        -1, case.integer("INPUT_BATCHES"), case.integer("INPUT_SIZE")
    )
    return tuple(steps)


def svdf(case: Case) -> Express:
    batch, filters, memory = (
        case.integer(name) for name in ("INPUT_BATCHES", "FEATURE_BATCHES", "TIME_BATCHES")
    )
    features = constant(case.array("weights_feature").reshape(filters, case.integer("INPUT_SIZE")))
    times = constant(case.array("weights_time").reshape(filters, memory))
    bias = case.array("biases", "bias")
    before = case.array("state", "initial_state").reshape(batch, filters * memory)
    dtype = "float32" if case.is_float else "int8"
    attributes = {"activation": "NONE"} if case.is_float else _svdf_numbers(case)
    results = [((batch, bias.size), dtype), (before.shape, before.dtype.name)]

    def express(bind: Bind, inputs: Sequence[Any]) -> Any:
        result, state = None, constant(before)
        for x in inputs:
            arguments = [x, features, times, constant(bias), state]
            both = bind(Svdf().call_tuple(arguments, attributes, results))
            result, state = (bind(relax.TupleGetItem(both, k)) for k in range(2))
        return clipped(case, result, "OUTPUT_ACTIVATION") if case.is_float else result

    return express


def svdf_by_numpy(case: Case, bounds: tuple[float, float]) -> Array:
    """The last result of a float case, with the numbers that are remembered kept within bounds."""
    batch, filters, memory = (
        case.integer(name) for name in ("INPUT_BATCHES", "FEATURE_BATCHES", "TIME_BATCHES")
    )
    features = case.array("weights_feature").reshape(filters, -1)
    times = case.array("weights_time").reshape(filters, memory)
    numbers = [np.clip(x @ features.T, *bounds) for x in svdf_inputs(case)]
    remembered = np.stack([np.zeros_like(numbers[0])] * memory + numbers, axis=-1)[:, :, -memory:]
    sums = (remembered * times).sum(-1).reshape(batch, -1, case.integer("RANK")).sum(-1)
    return np.asarray((sums + case.array("bias")).reshape(-1), "float32")


def _svdf_numbers(case: Case) -> dict[str, int | str]:
    return {
        "x_zero": case.integer("INPUT_OFFSET"),  # the zero point itself, unlike elsewhere
        "state_zero": 0,
        "y_zero": case.integer("OUTPUT_OFFSET"),
        "multiplier_1": case.integer("MULTIPLIER_IN"),
        "shift_1": case.integer("SHIFT_1"),
        "multiplier_2": case.integer("MULTIPLIER_OUT"),
        "shift_2": case.integer("SHIFT_2"),
    }


def lstm_inputs(case: Case) -> tuple[Array, ...]:
    outer = (case.integer("BATCH_SIZE"), case.integer("TIME_STEPS"))
    shape = outer[::-1] if case.flag("TIME_MAJOR") else outer
    return (case.array("input_tensor", "input").reshape(*shape, case.integer("INPUT_SIZE")),)


def lstm(case: Case) -> Express:
    (x,) = lstm_inputs(case)
    units, depth = case.integer("HIDDEN_SIZE"), case.integer("INPUT_SIZE")
    gate = "" if case.is_float else "_gate"
    weights = [
        constant(
            np.stack([case.array(f"{name}{gate}_{kind}_weights").reshape(units, size) for name in GATES])
        )
        for kind, size in (("input", depth), ("hidden", units))
    ]
    biases = [constant(_bias(case, f"{name}{gate}_bias")) for name in GATES]
    tables = [] if case.is_float else [constant(sigmoid_table())]
    hidden_zero = 0 if case.is_float else case.integer("OUTPUT_ZERO_POINT")
    cell_dtype = "float32" if case.is_float else "int16"
    state = (case.integer("BATCH_SIZE"), units)
    states = [constant(np.full(state, hidden_zero, x.dtype)), constant(np.zeros(state, cell_dtype))]
    results = [((*x.shape[:2], units), x.dtype.name), (state, x.dtype.name), (state, cell_dtype)]
    attributes = {"time_major": int(case.flag("TIME_MAJOR")), **_lstm_numbers(case)}

    def express(bind: Bind, inputs: Sequence[Any]) -> Any:
        arguments = [*inputs, *weights, *biases, *tables, *states]
        everything = bind(UnidirectionalSequenceLstm().call_tuple(arguments, attributes, results))
        return relax.TupleGetItem(everything, 0)

    return express


def _bias(case: Case, name: str) -> Array:
    """Of an int8 case 0: what two of them show was left there by older cases of the same name."""
    bias = case.array(name)
    return np.zeros_like(bias) if bias.dtype == "int32" else bias


def _lstm_numbers(case: Case) -> dict[str, int | str]:
    if case.is_float:
        return {"clip": float32_bits(case.number("CELL_CLIP"))}
    names = {"forget": "FORGET_TO_CELL", "input": "INPUT_TO_CELL", "output": "OUTPUT"}
    for number, gate in enumerate(GATES):
        names[f"x{number}"] = f"{gate.upper()}_GATE_INPUT"
        names[f"h{number}"] = f"{gate.upper()}_GATE_HIDDEN"
    numbers: dict[str, int | str] = {
        "x_zero": -case.integer("INPUT_ZERO_POINT"),
        "h_zero": case.integer("OUTPUT_ZERO_POINT"),
        "cell_shift": CELL_FRACTION_BITS + case.integer("CELL_SCALE_POWER"),
        "clip": case.integer("CELL_CLIP"),
    }
    for ours, theirs in names.items():
        numbers[f"multiplier_{ours}"] = case.integer(f"{theirs}_MULTIPLIER")
        numbers[f"shift_{ours}"] = case.integer(f"{theirs}_SHIFT")
    return numbers
