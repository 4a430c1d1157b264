"""Reads an ONNX protobuf into a checked model with static shapes.

Everything that a hostile or merely awkward file can hold is refused here, before the compiler sees it:
damage, weights in other files, tensors without end, graphs that do not hang together, dimensions that nobody
has fixed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from builder.importers.ports import MAXIMUM_ELEMENTS
from container.errors import CompileError

MAXIMUM_NODES = 20_000
MAXIMUM_NESTING = 8
"""Graphs inside of nodes (`If`, `Loop`)."""
OLDEST_IR = 3
MAXIMUM_RANK = 16

_DAMAGE_HINT = "the file is truncated or was changed; copy or export it again"
_FIX_SHAPE = (
    "fix it: python -m onnxruntime.tools.make_dynamic_shape_fixed "
    "{option} model.onnx fixed.onnx (a first dimension, the batch, is taken as 1 by itself)"
)


@dataclass(frozen=True)
class Port:
    """One input or output of the graph."""

    name: str
    dtype: str
    """NumPy name, or ONNX's own in capitals where NumPy has none (`STRING`, `BFLOAT16`)."""
    shape: tuple[int, ...]


@dataclass(frozen=True)
class OnnxModel:
    """A checked model.  `proto` has every input's shape fixed."""

    proto: Any
    inputs: tuple[Port, ...]
    """Without those that are initializers too: they are constants."""
    outputs: tuple[Port, ...]


def read_model(data: bytes, file: str) -> OnnxModel:
    """The model in a file.  Raises CompileError when it is damaged, or cannot have static shapes."""
    proto = _parse(data, file)
    for graph in _graphs(proto.graph, file):
        _check_tensors(graph, file)
    _check_order(proto.graph, file)
    inputs = _fix_inputs(proto.graph, file)
    proto = _infer_shapes(proto)
    _check_sizes(proto.graph, file)
    return OnnxModel(proto, inputs, _outputs(proto.graph, file))


def _parse(data: bytes, file: str) -> Any:
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except (DecodeError, RecursionError, ValueError) as fault:
        raise CompileError(f"{file}: damaged ONNX model ({fault})", hint=_DAMAGE_HINT) from fault
    if proto.ir_version < OLDEST_IR or not proto.HasField("graph"):
        raise CompileError(f"{file}: no ONNX model of IR version {OLDEST_IR} or later", hint=_DAMAGE_HINT)
    if not proto.graph.output:
        raise CompileError(f"{file}: the model has no outputs", hint=_DAMAGE_HINT)
    return proto


def _graphs(graph: Any, file: str, depth: int = 0) -> Iterator[Any]:
    """The graph and all graphs inside of its nodes."""
    if depth > MAXIMUM_NESTING:
        raise CompileError(f"{file}: graphs are nested more than {MAXIMUM_NESTING} deep")
    if len(graph.node) > MAXIMUM_NODES:
        raise CompileError(
            f"{file}: a graph of {len(graph.node)} nodes; at most {MAXIMUM_NODES} are compiled"
        )
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else ())):
                yield from _graphs(inner, file, depth + 1)


def _check_tensors(graph: Any, file: str) -> None:
    tensors = list(graph.initializer)
    for sparse in graph.sparse_initializer:
        tensors += [sparse.values, sparse.indices]
    for node in graph.node:
        for attribute in node.attribute:
            tensors += [*attribute.tensors, *([attribute.t] if attribute.HasField("t") else ())]
    for tensor in tensors:
        _check_tensor(tensor, file)


def _check_tensor(tensor: Any, file: str) -> None:
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise CompileError(
            f"{file}: the data of tensor {tensor.name!r} lies in another file; a container seals one file",
            hint="put the weights inside: onnx.save(onnx.load('model.onnx'), 'whole.onnx')",
        )
    if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > MAXIMUM_ELEMENTS:
        raise _damaged(file, f"tensor {tensor.name!r} has the shape {list(tensor.dims)}")
    dtype = dtype_name(tensor.data_type)
    size = math.prod(tensor.dims) * np.dtype(dtype).itemsize if dtype.islower() else len(tensor.raw_data)
    if tensor.raw_data and len(tensor.raw_data) != size:
        found = f"{len(tensor.raw_data)} bytes of data"
        raise _damaged(file, f"tensor {tensor.name!r} has {found}, its shape needs {size}")


def _check_order(graph: Any, file: str) -> None:
    """Every tensor must be computed before it is used; so there are no cycles either."""
    known = {"", *(v.name for v in graph.input), *(t.name for t in graph.initializer)}
    known |= {sparse.values.name for sparse in graph.sparse_initializer}
    for index, node in enumerate(graph.node):
        missing = [name for name in node.input if name not in known]
        if missing:
            raise _damaged(
                file, f"node {index} ({node.op_type}) takes {missing[0]!r}, which nothing before it computes"
            )
        known |= set(node.output)
    for output in graph.output:
        if output.name not in known:
            raise _damaged(file, f"nothing computes the output {output.name!r}")


def _fix_inputs(graph: Any, file: str) -> tuple[Port, ...]:
    constants = {tensor.name for tensor in graph.initializer}
    faults: list[tuple[str, str]] = []
    ports = []
    for value in graph.input:
        if value.name not in constants:
            _fix_batch(value)
            faults += _open_dimensions(value, "input")
            ports.append(value)
    _raise_open(file, faults)
    return tuple(_port(value) for value in ports)


def _fix_batch(value: Any) -> None:
    dimensions = value.type.tensor_type.shape.dim
    if dimensions and not dimensions[0].HasField("dim_value"):
        dimensions[0].dim_value = 1


def _open_dimensions(value: Any, role: str) -> list[tuple[str, str]]:
    """What is not static about a tensor: (complaint, options of the tool that fixes it)."""
    if not value.type.HasField("tensor_type"):
        return [(f"{role} {value.name!r} is no tensor but a sequence, map or optional", "")]
    if not value.type.tensor_type.HasField("shape"):
        return [(f"{role} {value.name!r} has no shape", f"--input_name {value.name} --input_shape 1,...")]
    faults = []
    for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
        if not dimension.HasField("dim_value"):
            name = dimension.dim_param
            option = (
                f"--dim_param {name} --dim_value N"
                if name
                else f"--input_name {value.name} --input_shape 1,..."
            )
            faults.append(
                (
                    f"dimension {axis}{f' ({name})' if name else ''} of {role} {value.name!r} is dynamic",
                    option,
                )
            )
        elif dimension.dim_value < 1:
            faults.append((f"dimension {axis} of {role} {value.name!r} is {dimension.dim_value}", ""))
    return faults


def _raise_open(file: str, faults: Sequence[tuple[str, str]]) -> None:
    if faults:
        option = next((option for _, option in faults if option), "")
        raise CompileError(
            f"{file}: "
            + "; ".join(complaint for complaint, _ in faults)
            + ": every size must be fixed and positive",
            hint=_FIX_SHAPE.format(option=option) if option else None,
        )


def _infer_shapes(proto: Any) -> Any:
    """The model with the shapes that ONNX's own inference finds; unchanged when that fails."""
    try:
        return onnx.shape_inference.infer_shapes(proto, check_type=False, strict_mode=False, data_prop=True)
    except Exception:  # its C++ core raises what it likes; shapes it does not find are found by the compiler
        return proto


def _check_sizes(graph: Any, file: str) -> None:
    """Refuses tensors too large to be meant, before anything allocates them."""
    for value in (*graph.input, *graph.value_info, *graph.output):
        sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
        if len(sizes) > MAXIMUM_RANK or math.prod(max(size, 1) for size in sizes) > MAXIMUM_ELEMENTS:
            raise CompileError(
                f"{file}: tensor {value.name!r} has the shape {sizes}; at most {MAXIMUM_ELEMENTS} elements "
                f"in {MAXIMUM_RANK} dimensions are compiled"
            )


def static_shapes(graph: Any) -> dict[str, tuple[int, ...]]:
    """Shapes by tensor, of those that are known without doubt."""
    shapes = {}
    for value in (*graph.value_info, *graph.output):
        dimensions = value.type.tensor_type.shape.dim
        if value.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dimensions):
            shapes[value.name] = tuple(d.dim_value for d in dimensions)
    return shapes


def _outputs(graph: Any, file: str) -> tuple[Port, ...]:
    known = {value.name: value for value in (*graph.value_info, *graph.input, *graph.output)}
    constants: Mapping[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
    faults, values = [], []
    for output in graph.output:
        if output.name in constants:
            output = onnx.helper.make_tensor_value_info(
                output.name, constants[output.name].data_type, constants[output.name].dims
            )
        value = known[output.name] if output.name not in constants else output
        _fix_batch(value)
        faults += _open_dimensions(value, "output")
        values.append(value)
    _raise_open(file, faults)
    return tuple(_port(value) for value in values)


def _port(value: Any) -> Port:
    tensor = value.type.tensor_type
    return Port(value.name, dtype_name(tensor.elem_type), tuple(d.dim_value for d in tensor.shape.dim))


def dtype_name(number: int) -> str:
    """NumPy's name of an ONNX element type, or ONNX's own in capitals."""
    plain: dict[int, str] = {
        onnx.TensorProto.FLOAT: "float32",
        onnx.TensorProto.DOUBLE: "float64",
        onnx.TensorProto.FLOAT16: "float16",
        onnx.TensorProto.BOOL: "bool",
    }
    if number in plain:
        return plain[number]
    try:
        name = onnx.TensorProto.DataType.Name(number)
    except ValueError:
        return f"TYPE_{number}"
    known = {f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
    return name.lower() if name in known else str(name)


def _damaged(file: str, what: str) -> CompileError:
    return CompileError(f"{file}: damaged ONNX model: {what}", hint=_DAMAGE_HINT)
