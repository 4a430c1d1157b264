"""The straight-line program that a lowered Relax module is: steps over tensors and constants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import tvm
from tvm import relax

from builder.access_order import Overlap
from builder.lower import CODELESS, IN_PLACE, OVERLAPS
from builder.names import kernel_name, operator_name, stage_number
from builder.operators.rows import ROWS, STACKED_ROWS
from builder.state import STATES
from container.errors import CompileError


@dataclass(frozen=True)
class Tensor:
    """A value in the arena."""

    key: int
    """Of the block that it lies in; blocks are what the memory plan places."""
    bytes: int
    dtype: str
    offset: int = 0
    """Where it begins in its block, in bytes."""


@dataclass(frozen=True, eq=False)
class Constant:
    """A value in read-only memory."""

    values: np.ndarray[Any, Any]


Operand: TypeAlias = Tensor | Constant


@dataclass(frozen=True)
class Step:
    """One call of a C function."""

    name: str
    stage: int
    """Number of the stage it belongs to."""
    function: str
    arguments: tuple[Operand, ...]
    results: tuple[Tensor, ...]
    macs: int = 0
    in_place: tuple[tuple[int, int], ...] = ()
    """Numbers of an argument and of the result that may lie where it lies."""
    holds: tuple[Tensor, ...] = ()
    """What must keep its place during the step besides."""
    overlaps: tuple[Overlap, ...] = ()
    """What results may overwrite of arguments that nothing else needs."""


@dataclass(frozen=True)
class State:
    """A value that one run leaves to the next."""

    name: str
    stage: int
    before: Tensor
    """What a run finds."""
    after: Operand
    """What it leaves."""
    initial: Constant
    """What the first run finds."""


@dataclass
class Program:
    inputs: list[Tensor] = field(default_factory=list)
    """By capability port."""
    steps: list[Step] = field(default_factory=list)
    outputs: list[Operand] = field(default_factory=list)
    """By output port."""
    states: list[State] = field(default_factory=list)
    functions: dict[str, Any] = field(default_factory=dict)
    """The TIR functions that steps call, by name; what is absent is a C function of a proc block."""


def read_program(module: Any) -> Program:
    """The program of a lowered module's `main`."""
    return _Reader(module).program()


class _Reader:
    def __init__(self, module: Any) -> None:
        self._module = module
        self._values: dict[Any, Any] = {}
        self._program = Program()
        self._next_key = 0
        self._stage = 0
        self._places: dict[int, Tensor] = {}
        """Where the result of a step lies that is part of another tensor, by its key."""

    def program(self) -> Program:
        main = self._module["main"]
        for parameter in main.params:
            (self._values[parameter],) = self._tensors([parameter.ty])
        for block in main.body.blocks:
            for binding in block.bindings:
                self._bind(binding.var, binding.value)
        self._program.steps = [self._placed(step) for step in self._program.steps]
        results = self._operand(main.body.body)
        self._finish(main, list(results) if isinstance(results, tuple) else [results])
        return self._program

    def _finish(self, main: Any, results: list[Operand]) -> None:
        """Tells sensors and outputs from states, which are behind them (`builder/state.py`)."""
        count = int(main.attrs.get(STATES, 0))
        sensors, outputs = len(main.params) - count, len(results) - 2 * count
        self._program.inputs = [self._values[parameter] for parameter in main.params[:sensors]]
        self._program.outputs = results[:outputs]
        finals, initials = results[outputs : outputs + count], results[outputs + count :]
        for parameter, after, initial in zip(main.params[sensors:], finals, initials, strict=True):
            name, stage = operator_name(parameter.name), stage_number(parameter.name)
            if not isinstance(initial, Constant) or stage is None:
                raise CompileError(f"the state `{name}` does not begin with a constant")
            self._program.states.append(State(name, stage, self._values[parameter], after, initial))

    def _bind(self, variable: Any, value: Any) -> None:
        number = stage_number(variable.name)
        self._stage = self._stage if number is None else number
        if isinstance(value, relax.Call) and value.op.name not in CODELESS:
            self._values[variable] = self._call(variable, value)
        else:
            self._values[variable] = self._operand(value)

    def _call(self, variable: Any, call: Any) -> Any:
        if call.op.name not in ("relax.call_tir", "relax.call_dps_packed"):
            raise CompileError(
                f"operator `{call.op.name.removeprefix('relax.')}` ({variable.name}) cannot be compiled",
                hint="it has no kernel; express it by other operators",
            )
        callee, arguments = call.args[0], call.args[1]
        name, attributes = self._callee(callee)
        types = call.ty_args[0].fields if isinstance(call.ty_args[0], relax.TupleType) else [call.ty_args[0]]
        results = self._tensors(types)
        operands = tuple(self._operand(argument) for argument in arguments.fields)
        macs, pairs = int(attributes.get("rune.macs", 0)), list(map(int, attributes.get(IN_PLACE, ())))
        in_place = tuple(zip(pairs[::2], pairs[1::2], strict=True))
        step = Step(
            operator_name(variable.name),
            self._stage,
            name,
            operands,
            results,
            macs,
            in_place,
            overlaps=_overlaps(attributes),
        )
        self._program.steps.append(step)
        return results if isinstance(call.ty_args[0], relax.TupleType) else results[0]

    def _callee(self, callee: Any) -> tuple[str, Any]:
        """Name and attributes of the function that is called."""
        if isinstance(callee, relax.ExternFunc):
            return str(callee.global_symbol), {}
        function = self._module[callee]
        name = kernel_name(callee.name_hint)
        self._program.functions[name] = function
        return name, function.attrs

    def _operand(self, value: Any) -> Any:
        if isinstance(value, relax.Tuple):
            return tuple(self._operand(item) for item in value.fields)
        if isinstance(value, relax.TupleGetItem):
            return self._values[value.tuple_value][value.index]
        if isinstance(value, relax.Call):
            return self._view(value)
        if isinstance(value, tvm.ir.Var):
            return self._values[value]
        return Constant(np.asarray(value.value.numpy()))

    def _view(self, call: Any) -> Any:
        """What an operator without code gives: where its argument lies, or its arguments with it."""
        if call.op.name == STACKED_ROWS:
            return self._stacked(call)
        operand = self._operand(call.args[0])
        if call.op.name != ROWS:
            return operand
        count = _bytes(call.ty)
        start = int(call.attrs["start"]) * (count // int(call.ty.shape.values[1]))
        return replace(operand, bytes=count, offset=operand.offset + start)

    def _stacked(self, call: Any) -> Tensor:
        """The tensor of which each argument is a part, so that steps write it without a copy."""
        (whole,) = self._tensors([call.ty])
        row = whole.bytes // int(call.ty.shape.values[1])
        for argument, start in zip(call.args[:-1], call.attrs["starts"], strict=True):
            part = self._operand(argument)
            self._places[part.key] = replace(part, key=whole.key, offset=int(start) * row)
        self._hold(int(call.attrs["steps"]), (whole, self._operand(call.args[-1])))
        return whole

    def _hold(self, steps: int, tensors: tuple[Operand, ...]) -> None:
        """Keeps tensors during the last steps: those of each patch then find the same memory free, lie at the
        same places, and share code that knows them."""
        held = tuple(tensor for tensor in tensors if isinstance(tensor, Tensor))
        done = self._program.steps
        done[-steps:] = [replace(step, holds=held) for step in done[-steps:]]

    def _placed(self, step: Step) -> Step:
        results = tuple(self._places.get(result.key, result) for result in step.results)
        return replace(step, results=results)

    def _tensors(self, types: Iterable[Any]) -> tuple[Tensor, ...]:
        tensors = []
        for type_ in types:
            tensors.append(Tensor(self._next_key, _bytes(type_), str(type_.dtype)))
            self._next_key += 1
        return tuple(tensors)


def _bytes(type_: Any) -> int:
    count = int(np.prod([int(size) for size in type_.shape.values], dtype=np.int64))
    return count * int(tvm.DataType(str(type_.dtype)).bits) // 8


def _overlaps(attributes: Any) -> tuple[Overlap, ...]:
    numbers = list(map(int, attributes.get(OVERLAPS, ())))
    return tuple(Overlap(*numbers[first : first + 4]) for first in range(0, len(numbers), 4))
