"""State: values that one run of a container leaves to the next.

The Relax module stays functional.  A state is one more parameter of `main`, after those of the sensors; its
value after the run is one more result, after those of the outputs; its value before the first run, a
constant, is one more result behind all of these.  The attribute `STATES` of `main` counts them.  Where they
lie and when they are written back is for the C unit to decide (`state_plan.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from tvm import relax

from builder.names import variable_name

STATES = "rune.states"
"""Attribute of `main`: how many states it has."""


class Variable:
    """One state while its module is being built."""

    def __init__(self, name: str, initial: np.ndarray[Any, Any]) -> None:
        self.initial = np.ascontiguousarray(initial, initial.dtype.newbyteorder("="))
        self.parameter = relax.Var(name, relax.TensorType(initial.shape, str(self.initial.dtype)))
        self.value: Any = self.parameter
        """The expression of its value at this point of the program: what to read, and to replace."""


NewState: TypeAlias = Callable[[str, "np.ndarray[Any, Any]"], Variable]
"""Makes a state from a name and the value it has before the first run."""


class States:
    """All states of a module, in the order in which they were made."""

    def __init__(self) -> None:
        self.variables: list[Variable] = []

    def of_stage(self, number: int) -> NewState:
        """What makes states for a stage; the stage's number is in their names, as in all of the module."""

        def new(name: str, initial: np.ndarray[Any, Any]) -> Variable:
            self.variables.append(Variable(variable_name(number, f"state_{name}_"), initial))
            return self.variables[-1]

        return new

    @property
    def parameters(self) -> list[Any]:
        return [variable.parameter for variable in self.variables]

    @property
    def results(self) -> list[Any]:
        """The values after a run, then those before the first."""
        finals = [variable.value for variable in self.variables]
        return finals + [
            relax.const(variable.initial, variable.initial.dtype.name) for variable in self.variables
        ]
