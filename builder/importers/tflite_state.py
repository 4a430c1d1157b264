"""What a TensorFlow Lite model keeps from one run to the next: variable tensors and resource variables.

Values before the first run follow TensorFlow Lite Micro: a variable tensor is zero, an int8 one its zero
point (ResetTensorData in tensorflow/lite/micro/micro_interpreter_graph.cc); a resource variable has in each
byte the low byte of the zero point of the tensor first assigned to it (MicroResourceVariables::Allocate
in micro_resource_variable.cc) until the subgraph of CALL_ONCE, run before everything else, gives it another.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from builder.importers.tflite_file import Operator, Subgraph, Tensor
from builder.operators.base import Unsupported
from builder.state import NewState, Variable

MAXIMUM_BYTES = 1 << 24
"""Of one state: what keeps more is no model for small machines."""


@dataclass(frozen=True)
class Resource:
    """The identity of a resource variable, which is what VAR_HANDLE gives instead of values."""

    container: str
    name: str

    @classmethod
    def of(cls, operator: Operator) -> Resource:
        """The variable that a VAR_HANDLE names.  Raises Unsupported."""
        options = operator.options("VarHandleOptions")
        if options is None:
            raise Unsupported("it has no VarHandleOptions")
        words = (options.Container() or b"", options.SharedName() or b"")
        return cls(*(word.decode("utf-8", "replace") for word in words))


class ModelMemory:
    """The states of one model."""

    def __init__(self, graphs: Sequence[Subgraph], new_state: NewState) -> None:
        self._graphs = graphs
        self._new_state = new_state
        self._assigned = dict(reversed([pair for graph in graphs for pair in _assignments(graph)]))
        """The first tensor in the file that is assigned to each variable."""
        self._changing = {resource for resource, _ in _assignments(graphs[0])}
        self._initial: dict[Resource, np.ndarray[Any, Any]] = {}
        self._resources: dict[Resource, Variable] = {}
        self._tensors: dict[int, Variable] = {}

    def of_tensor(self, tensor: Tensor) -> Variable:
        """The state behind a variable tensor of the main graph."""
        if tensor.index not in self._tensors:
            values = _zeros(tensor)
            if tensor.dtype == "int8":
                values[...] = _zero_point(tensor)
            self._tensors[tensor.index] = self.new(tensor.name, values)
        return self._tensors[tensor.index]

    def of_resource(self, resource: Resource) -> Variable:
        """The state behind a resource variable.  Raises Unsupported when nothing tells its type."""
        if resource not in self._resources:
            self._resources[resource] = self.new(resource.name, self.initial(resource))
        return self._resources[resource]

    def is_constant(self, resource: Resource) -> bool:
        """Whether a run never assigns to the variable, so that it keeps its initial value."""
        return resource not in self._changing

    def initial(self, resource: Resource) -> np.ndarray[Any, Any]:
        """The value of a variable before the first run.  Raises Unsupported when nothing tells its type."""
        if resource in self._initial:
            return self._initial[resource]
        tensor = self._assigned.get(resource)
        if tensor is None:
            raise Unsupported(f"nothing is assigned to the variable {resource.name!r}")
        values = _zeros(tensor)
        values.view(np.uint8).reshape(-1)[:] = _zero_point(tensor) & 0xFF
        return values

    def initialise(self, graph: int) -> None:
        """Takes initial values from the subgraph of a CALL_ONCE, which must assign constants alone.

        Raises Unsupported.
        """
        if not 0 < graph < len(self._graphs):
            raise Unsupported(f"it calls subgraph {graph} of {len(self._graphs)}")
        for operator in self._graphs[graph].operators:
            if operator.name not in ("VAR_HANDLE", "ASSIGN_VARIABLE"):
                raise Unsupported(f"its subgraph uses {operator.name}; supported: assigning constants")
        for resource, tensor in _assignments(self._graphs[graph]):
            if tensor.data is None or resource in self._resources:
                raise Unsupported(
                    f"it assigns to {resource.name!r} what is not constant, or after that was used already"
                )
            self._initial[resource] = tensor.data

    def new(self, name: str, initial: np.ndarray[Any, Any]) -> Variable:
        """A further state, which an operator keeps for itself."""
        return self._new_state(re.sub(r"\W+", "_", name)[-40:], initial)


def _assignments(graph: Subgraph) -> Iterator[tuple[Resource, Tensor]]:
    """The ASSIGN_VARIABLEs of a graph in order: variable, and the tensor whose value it gets."""
    handles: dict[int, Resource] = {}
    for operator in graph.operators:
        if operator.name == "VAR_HANDLE" and operator.outputs and operator.options("VarHandleOptions"):
            handles[operator.outputs[0]] = Resource.of(operator)
        elif operator.name == "ASSIGN_VARIABLE" and len(operator.inputs) == 2:
            handle, value = operator.inputs
            if handle in handles and value >= 0:
                yield handles[handle], graph.tensors[value]


def _zeros(tensor: Tensor) -> np.ndarray[Any, Any]:
    """Zeros of the type of a tensor.  Raises Unsupported unless that is one of numbers, and not too large."""
    if not tensor.dtype.islower():
        raise Unsupported(f"tensor {tensor.name!r} is {tensor.dtype}, which cannot be kept from run to run")
    size = math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize
    if size > MAXIMUM_BYTES:
        raise Unsupported(
            f"tensor {tensor.name!r} keeps {size:,} bytes from run to run; at most {MAXIMUM_BYTES:,}"
        )
    return np.zeros(tensor.shape, tensor.dtype)


def _zero_point(tensor: Tensor) -> int:
    return tensor.quantization.zero_point[0] if tensor.quantization is not None else 0
