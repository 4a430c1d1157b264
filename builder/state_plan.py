"""Where states lie and how they are brought up to date: each in memory of its own, while an instance lives.

The value that a run leaves is computed right into that memory where nothing can still want the old one; else
it is computed in the arena like any tensor and copied at the end of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from builder.program import Operand, Program, State, Step, Tensor


@dataclass(frozen=True)
class StatePlan:
    states: tuple[State, ...]
    """Those that need memory; one that no run reads needs none."""
    homes: dict[int, int]
    """By the key of a tensor that lies in the memory of a state: the number of the state."""
    copied: tuple[int, ...]
    """Numbers of the states that are copied at the end of the run."""

    @property
    def bytes(self) -> int:
        return sum(state.before.bytes for state in self.states)

    def is_old_value_of_another(self, number: int) -> bool:
        """Whether a state becomes what another one was: to be saved before that one is overwritten."""
        after = self.states[number].after
        return any(after == other.before for other in self.states)


def plan_states(program: Program) -> StatePlan:
    """The plan for all states of a program."""
    wanted = _wanted(program)
    states = tuple(state for state in program.states if state.before.key in wanted)
    homes = {state.before.key: number for number, state in enumerate(states)}
    copied = []
    for number, state in enumerate(states):
        if isinstance(state.after, Tensor) and state.after.key not in homes and _in_place(program, state):
            homes[state.after.key] = number
        elif state.after != state.before:
            copied.append(number)
    return StatePlan(states, homes, tuple(copied))


def _wanted(program: Program) -> set[int]:
    """Keys of the tensors that a step, an output or another state takes."""
    afters = [state.after for state in program.states if state.after != state.before]
    arguments = [argument for step in program.steps for argument in step.arguments]
    return {operand.key for operand in [*arguments, *program.outputs, *afters] if isinstance(operand, Tensor)}


def _in_place(program: Program, state: State) -> bool:
    """Whether the new value can be computed where the old one lies."""
    at_end: Sequence[Operand] = [*program.outputs, *(other.after for other in program.states)]
    if state.before in at_end:
        return False
    written = next((n for n, step in enumerate(program.steps) if state.after in step.results), None)
    if written is None:
        return False
    later = program.steps[written + 1 :]
    return _allows(program.steps[written], state) and not any(
        state.before in step.arguments for step in later
    )


def _allows(step: Step, state: State) -> bool:
    """Whether the step that computes the new value does not read the old one, or may overwrite it."""
    reads = [number for number, argument in enumerate(step.arguments) if argument == state.before]
    result = next(number for number, tensor in enumerate(step.results) if tensor == state.after)
    return all((number, result) in step.in_place for number in reads)
