"""The straight-line program that a lowered Relax module is: steps over tensors and constants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import tvm
from tvm import relax

from builder.lower import ALIASES
from builder.names import operator_name, stage_number
from container.errors import CompileError


@dataclass(frozen=True)
class Tensor:
    """A value in the arena."""

    key: int
    bytes: int
    dtype: str


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


@dataclass
class Program:
    inputs: list[Tensor] = field(default_factory=list)
    """By capability port."""
    steps: list[Step] = field(default_factory=list)
    outputs: list[Operand] = field(default_factory=list)
    """By output port."""
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

    def program(self) -> Program:
        main = self._module["main"]
        for parameter in main.params:
            (tensor,) = self._tensors([parameter.ty])
            self._values[parameter] = tensor
            self._program.inputs.append(tensor)
        for block in main.body.blocks:
            for binding in block.bindings:
                self._bind(binding.var, binding.value)
        results = self._operand(main.body.body)
        self._program.outputs = list(results) if isinstance(results, tuple) else [results]
        return self._program

    def _bind(self, variable: Any, value: Any) -> None:
        number = stage_number(variable.name)
        self._stage = self._stage if number is None else number
        if isinstance(value, relax.Call) and value.op.name not in ALIASES:
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
        name, macs = self._callee(callee)
        types = call.ty_args[0].fields if isinstance(call.ty_args[0], relax.TupleType) else [call.ty_args[0]]
        results = self._tensors(types)
        operands = tuple(self._operand(argument) for argument in arguments.fields)
        step = Step(operator_name(variable.name), self._stage, name, operands, results, macs)
        self._program.steps.append(step)
        return results if isinstance(call.ty_args[0], relax.TupleType) else results[0]

    def _callee(self, callee: Any) -> tuple[str, int]:
        if isinstance(callee, relax.ExternFunc):
            return str(callee.global_symbol), 0
        function = self._module[callee]
        self._program.functions[callee.name_hint] = function
        return callee.name_hint, int(function.attrs.get("rune.macs", 0))

    def _operand(self, value: Any) -> Any:
        if isinstance(value, relax.Tuple):
            return tuple(self._operand(item) for item in value.fields)
        if isinstance(value, relax.TupleGetItem):
            return self._values[value.tuple_value][value.index]
        if isinstance(value, relax.Call):
            return self._operand(value.args[0])
        if isinstance(value, tvm.ir.Var):
            return self._values[value]
        return Constant(np.asarray(value.value.numpy()))

    def _tensors(self, types: Iterable[Any]) -> tuple[Tensor, ...]:
        tensors = []
        for type_ in types:
            count = int(np.prod([int(size) for size in type_.shape.values], dtype=np.int64))
            dtype = str(type_.dtype)
            tensors.append(Tensor(self._next_key, count * tvm.DataType(dtype).bits // 8, dtype))
            self._next_key += 1
        return tuple(tensors)
