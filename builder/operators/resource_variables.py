"""Resource variables: what a streaming model remembers from one run to the next.

VAR_HANDLE names a variable, READ_VARIABLE gives its value at that point of the run, ASSIGN_VARIABLE replaces
it, CALL_ONCE runs a subgraph before the first run.  None of them computes anything: a read is the expression
that was assigned last, and what is assigned last in a run is the state that the next run finds.
Source: tensorflow/lite/micro/kernels/{var_handle,read_variable,assign_variable,call_once}.cc; initial values
in importers/tflite_state.py.
"""

from __future__ import annotations

import math
from typing import Any

from tvm import relax

from builder.families.data_movement import MOVED
from builder.importers.tflite_file import Tensor
from builder.importers.tflite_state import Resource
from builder.operators.base import Node, Operator, Unsupported, constant, dtype_of, shape_of


class VarHandle(Operator):
    name = "var_handle"
    tflite = ("VAR_HANDLE",)
    combinations = MOVED

    def read_tflite(self, node: Node) -> Any:
        return Resource.of(node.operator)


class ReadVariable(Operator):
    name = "read_variable"
    tflite = ("READ_VARIABLE",)
    combinations = MOVED

    def read_tflite(self, node: Node) -> Any:
        resource = _resource(node)
        if node.memory.is_constant(resource):
            value = constant(node.memory.initial(resource))
        else:
            value = node.memory.of_resource(resource).value
        _require_same_type(node.output(), value)
        return relax.op.reshape(value, node.output().shape)


class AssignVariable(Operator):
    name = "assign_variable"
    tflite = ("ASSIGN_VARIABLE",)
    combinations = MOVED

    def read_tflite(self, node: Node) -> Any:
        variable = node.memory.of_resource(_resource(node))
        _require_same_type(node.input(1), variable.parameter)
        variable.value = node.emit(relax.op.reshape(node.value(1), shape_of(variable.parameter)))
        return []


class CallOnce(Operator):
    name = "call_once"
    tflite = ("CALL_ONCE",)
    combinations = MOVED

    def read_tflite(self, node: Node) -> Any:
        node.memory.initialise(int(node.options("CallOnceOptions").InitSubgraphIndex()))
        return []


def _resource(node: Node) -> Resource:
    resource = node.value(0)
    if not isinstance(resource, Resource):
        raise Unsupported(f"tensor {node.input(0).name!r} is no handle of a variable")
    return resource


def _require_same_type(tensor: Tensor, value: Any) -> None:
    """A variable may be read under another shape, but holds so many elements of one dtype."""
    held = (dtype_of(value), math.prod(shape_of(value)))
    if (tensor.dtype, math.prod(tensor.shape)) != held:
        raise Unsupported(
            f"tensor {tensor.name!r} is {tensor.dtype}{list(tensor.shape)}; "
            f"the variable holds {held[1]} elements of {held[0]}"
        )
