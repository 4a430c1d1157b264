"""The C unit of a container: constants, kernels, one static arena, states, and a straight-line `run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from builder.c_types import C_TYPES, FAILURE_DEFINITIONS
from builder.codegen import CFunction
from builder.levels import for_levels
from builder.plan import Lifetime, Placement, Slide, high_water, place
from builder.program import Operand, Program, State, Step, Tensor
from builder.state_plan import plan_states
from container.abi import Failure, Profile, error_code
from container.manifest import OperatorRecord, StageKind, StageRecord

KERNEL_HEADERS = (
    "runtime.h",
    "dsp.h",
    "math.h",
    "fixed_point.h",
    "inner_product.h",
    "float_sums.h",
    "sigmoid.h",
    "signal.h",
    "detection.h",
    "elementwise.h",
    "softmax.h",
    "normalization.h",
    "quantize.h",
    "blocks.h",
    "text.h",
    "simd.h",
    "winograd.h",
    "spread.h",
    "dense.h",
    "depthwise.h",
    "mcu.h",
    "mcu_depthwise.h",
    "mcu_int16.h",
    "mcu_winograd.h",
    "mcu_rows.h",
)
ALIGNMENT = {Profile.SIMD: 16, Profile.MCU: 4}
"""Bytes: what the widest load of each profile wants."""
PROGRESS_SYMBOL = "rune_progress"


@dataclass(frozen=True)
class Unit:
    """One translation unit and what the manifest says of it."""

    source: str
    arena: int
    """Bytes."""
    operators: tuple[OperatorRecord, ...]
    state: int = 0
    """Bytes."""
    blocks: tuple[tuple[int, ...], ...] = ()
    """Of the arena, as the manifest tells them."""


@dataclass(frozen=True)
class _Action:
    """One line of work in `run`: reading a sensor, a step, writing an output, or keeping a state."""

    name: str
    stage: int
    code: str
    uses: tuple[int, ...]
    """Keys of the arena's blocks that are touched."""
    macs: int = 0


def emit_unit(
    program: Program,
    functions: Mapping[str, CFunction],
    stages: Sequence[StageRecord],
    profile: Profile,
) -> Unit:
    """The unit of a program.  A function that it calls and `functions` has not is linked from elsewhere."""
    return _Emitter(program, functions, stages, profile).unit()


class _Emitter:
    def __init__(
        self,
        program: Program,
        functions: Mapping[str, CFunction],
        stages: Sequence[StageRecord],
        profile: Profile,
    ) -> None:
        self._program = program
        self._functions = functions
        self._stages = stages
        self._profile = profile
        self._alignment = ALIGNMENT[profile]
        self._constants: dict[tuple[str, bytes], str] = {}
        self._workspaces: dict[int, int] = {}
        """Bytes of each workspace, by its key: negative, so that it never meets a tensor's."""
        self._states = plan_states(program)

    def unit(self) -> Unit:
        actions = self._actions()
        lifetimes = self._lifetimes(actions)
        placement = place(lifetimes, self._alignment, self._slides(lifetimes))
        lines = list(FAILURE_DEFINITIONS)
        lines += [f'#include "{header}"' for header in KERNEL_HEADERS]
        lines += self._prototypes()
        lines += [_definition(name, dtype, data) for (dtype, data), name in self._constants.items()]
        lines += [for_levels(function.source) for function in self._functions.values()]
        lines += self._memory(placement)
        lines += [_state_memory(n, state, self._alignment) for n, state in enumerate(self._states.states)]
        lines += _run(actions)
        records = self._records(actions, lifetimes, placement)
        blocks = _blocks(lifetimes, placement)
        return Unit("\n".join(lines) + "\n", placement.bytes, records, self._states.bytes, blocks)

    def _actions(self) -> list[_Action]:
        actions, read = [], set()
        for step in self._program.steps:
            for port, tensor in enumerate(self._program.inputs):
                if tensor.key in _keys_of(step.arguments) and port not in read:
                    read.add(port)
                    actions.append(self._read(port, tensor))
            actions.append(self._step(step))
        actions += [
            self._read(port, tensor) for port, tensor in enumerate(self._program.inputs) if port not in read
        ]
        return [*actions, *self._writes(), *self._keeps()]

    def _keeps(self) -> list[_Action]:
        """What brings the states up to date that are not computed in their place."""
        saves, copies = [], []
        for number in self._states.copied:
            state = self._states.states[number]
            source, size, keys = self._operand(state.after), state.before.bytes, self._keys([state.after])
            if self._states.is_old_value_of_another(number):
                workspace = self._workspace(size)
                keys, place = (workspace,), f"arena + WORKSPACE_{-workspace}"
                saves.append(_Action("save", state.stage, _copy(place, source, size), keys))
                source = place
            copies.append(_Action("keep", state.stage, _copy(f"state_{number}", source, size), keys))
        return saves + copies

    def _read(self, port: int, tensor: Tensor) -> _Action:
        stage = next(
            i for i, s in enumerate(self._stages) if s.kind is StageKind.CAPABILITY and s.port == port
        )
        code = _checked(
            f"rune_read({port}, {self._place(tensor)}, {tensor.bytes}) != {tensor.bytes}", stage, Failure.READ
        )
        return _Action("read", stage, code, self._keys([tensor]))

    def _writes(self) -> list[_Action]:
        actions = []
        for number, stage in enumerate(self._stages):
            if stage.kind is not StageKind.OUT or stage.port is None:
                continue
            for port in range(stage.port, stage.port + len(stage.inputs)):
                operand = self._program.outputs[port]
                size = operand.bytes if isinstance(operand, Tensor) else operand.values.nbytes
                code = f"rune_write({port}, {self._operand(operand)}, {size}) != {size}"
                actions.append(
                    _Action("write", number, _checked(code, number, Failure.WRITE), self._keys([operand]))
                )
        return actions

    def _step(self, step: Step) -> _Action:
        function = self._functions.get(step.function)
        workspaces = [self._workspace(size) for size in (function.workspaces if function else ())]
        operands = [self._operand(operand) for operand in (*step.arguments, *step.results)]
        operands += [f"(void *)(arena + WORKSPACE_{-key})" for key in workspaces]
        call = f"{step.function}({', '.join(operands)})"
        code = f"  if ((failure = {call}) != 0) return {error_code(step.stage, 0)} | rune_failure(failure);"
        keys = (*self._keys(step.arguments), *self._keys(step.results), *workspaces)
        keys = (*keys, *self._keys(step.holds))
        return _Action(step.name, step.stage, code, keys, step.macs)

    def _prototypes(self) -> list[str]:
        """Declarations of the C functions that proc blocks bring."""
        prototypes: dict[str, str] = {}
        for step in self._program.steps:
            if step.function not in self._functions:
                parameters = [f"const {_c_type(operand)} *" for operand in step.arguments]
                parameters += [f"{_c_type(result)} *" for result in step.results]
                prototypes[step.function] = f"int32_t {step.function}({', '.join(parameters)});"
        return list(prototypes.values())

    def _place(self, tensor: Tensor) -> str:
        home = self._states.homes.get(tensor.key)
        offset = f" + {tensor.offset}" if tensor.offset else ""
        place = f"(arena + TENSOR_{tensor.key}{offset})" if home is None else f"(state_{home}{offset})"
        return f"({C_TYPES[tensor.dtype]} *){place}"

    def _keys(self, operands: Sequence[Operand]) -> tuple[int, ...]:
        """Keys of the operands that lie in the arena."""
        return tuple(key for key in _keys_of(operands) if key not in self._states.homes)

    def _workspace(self, size: int) -> int:
        key = -(len(self._workspaces) + 1)
        self._workspaces[key] = size
        return key

    def _operand(self, operand: Operand) -> str:
        if isinstance(operand, Tensor):
            return self._place(operand)
        values = np.ascontiguousarray(operand.values)
        key = (str(values.dtype), values.tobytes())
        name = self._constants.setdefault(key, f"constant_{len(self._constants)}")
        return f"({C_TYPES[key[0]]} *){name}"

    def _lifetimes(self, actions: Sequence[_Action]) -> dict[int, Lifetime]:
        sizes = dict(self._workspaces)
        tensors = [t for step in self._program.steps for t in step.results]
        for tensor in [*self._program.inputs, *tensors]:
            sizes[tensor.key] = max(sizes.get(tensor.key, 0), tensor.offset + tensor.bytes)
        lifetimes: dict[int, Lifetime] = {}
        for number, action in enumerate(actions):
            for key in action.uses:
                first = lifetimes[key].first if key in lifetimes else number
                lifetimes[key] = Lifetime(sizes[key], first, number)
        return lifetimes

    def _slides(self, lifetimes: Mapping[int, Lifetime]) -> dict[tuple[int, int], Slide]:
        """Which results may lie upon arguments that nothing needs later, by the keys of argument and result.

        On boards alone, where memory is short: hosts get their memory in pages, and loops whose operands
        cannot touch each other.
        """
        slides: dict[tuple[int, int], Slide] = {}
        for step in self._program.steps if self._profile is Profile.MCU else ():
            for number, result in enumerate(step.results):
                held = self._keys(step.holds)
                for argument in self._keys(step.arguments):
                    if argument in held or result.key in held:
                        continue
                    slide = _slide(step, argument, number) if result.key in lifetimes else None
                    if slide and lifetimes[argument].last == lifetimes[result.key].first:
                        slides[argument, result.key] = slide
        return slides

    def _memory(self, placement: Placement) -> list[str]:
        lines = [
            f"#define {'TENSOR' if key >= 0 else 'WORKSPACE'}_{abs(key)} {offset}"
            for key, offset in sorted(placement.offsets.items())
        ]
        alignment = f"__attribute__((aligned({self._alignment})))"
        lines.append(f"static uint8_t arena[{max(placement.bytes, 1)}] {alignment};")
        lines.append(f'volatile int32_t {PROGRESS_SYMBOL} __attribute__((section(".data.progress")));')
        return lines

    def _records(
        self, actions: Sequence[_Action], lifetimes: Mapping[int, Lifetime], placement: Placement
    ) -> tuple[OperatorRecord, ...]:
        return tuple(
            OperatorRecord(
                name=action.name,
                stage=self._stages[action.stage].name,
                macs=action.macs,
                arena_bytes=high_water(lifetimes, placement, number),
            )
            for number, action in enumerate(actions)
        )


def _slide(step: Step, argument: int, number: int) -> Slide | None:
    """How the block of a result may lie upon that of an argument, told by its key, of which a step may have
    several uses; None where it may not."""
    result = step.results[number]
    overlaps = {overlap.argument: overlap for overlap in step.overlaps if overlap.result == number}
    found = set()
    for position, operand in enumerate(step.arguments):
        if isinstance(operand, Tensor) and operand.key == argument:
            overlap = overlaps.get(position)
            # Either may be part of its block.
            further = result.offset - operand.offset
            if overlap is None or further % overlap.step:
                return None
            found.add(Slide(overlap.distance + further, overlap.step))
    return found.pop() if len(found) == 1 else None


def _blocks(lifetimes: Mapping[int, Lifetime], placement: Placement) -> tuple[tuple[int, ...], ...]:
    """Blocks in the order in which they begin; of one step, its results in order, then its workspaces."""
    order = sorted(lifetimes, key=lambda key: (lifetimes[key].first, key < 0, abs(key)))
    found = [(placement.offsets[key], lifetimes[key]) for key in order]
    return tuple((offset, block.bytes, block.first, block.last) for offset, block in found)


def _keys_of(operands: Sequence[Operand]) -> list[int]:
    """Keys of the blocks that tensors among the operands lie in."""
    return [operand.key for operand in operands if isinstance(operand, Tensor)]


def _run(actions: Sequence[_Action]) -> list[str]:
    lines = ['__attribute__((export_name("run"))) int32_t run(void) {', "  int32_t failure = 0;"]
    for number, action in enumerate(actions):
        lines += [f"  {PROGRESS_SYMBOL} = {number};", action.code]
    return [*lines, "  return failure;", "}"]


def _checked(condition: str, stage: int, failure: Failure) -> str:
    return f"  if ({condition}) return {error_code(stage, failure)};"


def _copy(target: str, source: str, size: int) -> str:
    return f"  __builtin_memcpy({target}, {source}, {size});"


def _c_type(operand: Operand) -> str:
    return C_TYPES[operand.dtype if isinstance(operand, Tensor) else str(operand.values.dtype)]


def _state_memory(number: int, state: State, alignment: int) -> str:
    """Memory of its own, which the engine fills with the initial value when it makes an instance."""
    data = state.initial.values.tobytes()
    value = "" if not any(data) else f" = {{{','.join(map(str, data))}}}"
    return f"static uint8_t state_{number}[{max(len(data), 1)}] __attribute__((aligned({alignment}))){value};"


def _definition(name: str, dtype: str, data: bytes) -> str:
    """A constant in C; floats by their bits, since decimal text would have to be read back exactly."""
    alignment = "__attribute__((aligned(16)))" if len(data) >= 16 else ""
    values = np.frombuffer(data, dtype=dtype)
    if values.dtype.kind == "f":
        values = values.view(f"uint{values.itemsize * 8}")
    suffix = {"uint64": "u", "int64": "ll"}.get(str(values.dtype), "")
    text = ",".join(f"{value}{suffix}" for value in values.tolist())
    return f"static const {C_TYPES[str(values.dtype)]} {name}[] {alignment} = {{{text}}};"
