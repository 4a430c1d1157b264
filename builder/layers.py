"""The layers of a model: every tensor that its operators compute, in the order of execution.

To look at them, the model itself is changed: a copy of the file in which they all are outputs.  What compiles
models and what runs them for reference then needs to know nothing of it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from builder.engines import EngineError, described, installed_engine, run_engine
from builder.importers import ONNX, PYTORCH, read_signature
from builder.npz import read_arrays
from container.errors import CompileError, UsageError
from container.manifest import OutputReference, StageKind, StageRecord
from container.tensors import ElementType
from runefile.pipeline import ModelFile, TypedPipeline
from runefile.signatures import ModelPort

if TYPE_CHECKING:
    from builder.importers.tflite_file import Subgraph

Array: TypeAlias = np.ndarray[Any, Any]

_RECORDED = re.compile(r"(\d+)\|(.*)\|(\d+)")
"""Name of a recorded tensor of a TensorFlow Lite model: node, operator, number of the tensor."""
_MOVEMENT = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "PACK", "UNPACK", "TRANSPOSE", "CONCATENATION"}
"""Operators whose result may well equal what they take."""


@dataclass(frozen=True)
class Layer:
    """One tensor that an operator computes."""

    node: int
    """Index of the operator in the graph."""
    operator: str
    tensor: str
    """Its name in the file."""
    key: str
    """What tells it from others: the tensor's number in TensorFlow Lite, its name in ONNX."""
    overwriters: frozenset[str] = frozenset()
    """Keys of what is computed from it, other than by mere movement, and may be computed in its place."""


@dataclass(frozen=True)
class LayeredModel:
    """A copy of a model whose outputs are its layers, each once, in the order of execution."""

    model: ModelFile
    layers: tuple[Layer, ...]
    outputs: tuple[int | None, ...]
    """The layer that each output of the original model is; None for an input or a constant."""


def with_layers(model: ModelFile) -> LayeredModel:
    """The model with every tensor that an operator computes as an output.

    Left out is what no stage can give (booleans, variables) and, in ONNX graphs with quantised parts, floats:
    a float between a DequantizeLinear and a QuantizeLinear has no counterpart in integer arithmetic.
    The model is one that `read_signature` takes.  Raises CompileError when nothing remains.
    """
    if model.format == PYTORCH:
        raise CompileError(
            f"{model.file}: layers of PyTorch models cannot be compared yet",
            hint="export the model as ONNX as well: torch.onnx.export",
        )
    layered = _onnx_layers(model) if model.format == ONNX else _tflite_layers(model)
    if not layered.layers:
        raise CompileError(f"{model.file}: no operator computes a tensor that could be compared")
    return layered


def pipeline_of_model(model: ModelFile) -> TypedPipeline:
    """A pipeline of a sensor for each input of a model, `in0`, `in1`..., the model, and one output stage."""
    signature = read_signature(model.data, model.file, model.format)
    inputs = tuple(port.type for port in signature.inputs)
    outputs = tuple(port.type for port in signature.outputs)
    sensors = tuple(
        StageRecord(f"in{k}", StageKind.CAPABILITY, "RAW", outputs=(kind,), port=k)
        for k, kind in enumerate(inputs)
    )
    stage = StageRecord(
        "model",
        StageKind.MODEL,
        model.file,
        inputs=tuple(OutputReference(sensor.name, 0) for sensor in sensors),
        input_types=inputs,
        outputs=outputs,
    )
    out = StageRecord(
        "out",
        StageKind.OUT,
        "TENSOR",
        inputs=tuple(OutputReference("model", k) for k in range(len(outputs))),
        input_types=outputs,
        port=0,
    )
    return TypedPipeline("model", (*sensors, stage, out), {"model": model}, {})


def read_inputs(file: Path, ports: Sequence[ModelPort], sample: int) -> list[Array]:
    """One sample from a `.npz` file, by input.

    The file has an array for each input, under its name or as `in0`, `in1`...: the sample itself, or several
    along a further first axis, of which `sample` is taken; or one array for each sample, `in0_0`, `in0_1`...
    Raises UsageError.
    """
    arrays = read_arrays(file)
    return [_input(file, arrays, number, port, sample) for number, port in enumerate(ports)]


def _input(file: Path, arrays: Mapping[str, Array], number: int, port: ModelPort, sample: int) -> Array:
    single = f"in{number}_{sample}"
    name = next((name for name in (port.name, f"in{number}", single) if name in arrays), None)
    if name is None:
        raise UsageError(
            f"{file}: has no array for input {number} of the model, {port.name!r}",
            hint=f"save it as `in{number}`; the arrays are {', '.join(arrays) or 'none'}",
        )
    values, kind = arrays[name], port.type
    if values.dtype != np.dtype(kind.element.dtype):
        raise UsageError(f"{file}: array {name!r} is {values.dtype}, expected {kind.element.dtype}")
    if _squeezed(values.shape) == kind.squeezed:
        values, sample = values.reshape(1, *kind.shape), 0 if name == single else sample
    if not values.ndim or _squeezed(values.shape[1:]) != kind.squeezed:
        shape = list(kind.shape)
        raise UsageError(f"{file}: array {name!r} is {list(values.shape)}, expected {shape} or N of them")
    if sample >= len(values):
        raise UsageError(f"{file}: array {name!r} has {len(values)} samples, number {sample} is asked for")
    chosen: Array = values[sample]
    return chosen.reshape(kind.shape)


def _squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def recorded_layers(file: Path, layered: LayeredModel) -> tuple[dict[int, Array], frozenset[int]]:
    """The layers that a `.npz` file has, by number, and the numbers of those that are doubtful.

    Its arrays are named `NODE|OPERATOR|TENSOR`, the tensor by its number in the file, or just by the tensor's
    name.  Engines that compute in place let an operator overwrite what it takes before that is recorded: a
    tensor that equals, to the bit, what is computed from it is doubtful.  Raises UsageError when no array is
    a layer.
    """
    arrays: dict[str, Array] = {}
    for name, values in read_arrays(file).items():
        parts = _RECORDED.fullmatch(name)
        arrays[parts[3] if parts else name] = values
    found = {
        number: arrays[key]
        for number, layer in enumerate(layered.layers)
        for key in (layer.tensor, layer.key)
        if key in arrays
    }
    if not found:
        raise UsageError(
            f"{file}: none of its arrays is a layer of {layered.model.file}",
            hint="name them NODE|OPERATOR|TENSOR, such as `000|CONV_2D|22`, or by the tensor's name",
        )
    doubtful = frozenset(n for n, values in found.items() if _overwritten(values, layered.layers[n], arrays))
    return found, doubtful


def _overwritten(values: Array, layer: Layer, arrays: Mapping[str, Array]) -> bool:
    data = values.tobytes()
    return any(key in arrays and arrays[key].tobytes() == data for key in layer.overwriters)


def computed_layers(layered: LayeredModel, inputs: Sequence[Array]) -> tuple[dict[int, Array], str]:
    """The layers that an independent engine computes, by number, and its name and version.

    Raises UsageError when none is installed, CompileError when it refuses the model.
    """
    model = layered.model
    engine = installed_engine(model.format)
    if engine is None:
        raise UsageError(
            f"no independent engine for {model.format} models is installed",
            hint="`pip install rune-tinyml[golden]`, or give recorded layers with `--layers FILE.npz`",
        )
    try:
        (outputs,) = run_engine(engine, model.data, [inputs])
    except EngineError as fault:
        raise CompileError(f"{model.file}: {fault}") from fault
    return dict(enumerate(outputs)), described(engine.package)


def _tflite_layers(model: ModelFile) -> LayeredModel:
    from builder.importers.tflite_file import damage_as_compile_error, read_subgraphs

    graph = read_subgraphs(model.data, model.file)[0]
    shown: dict[int, Layer] = {}
    for operator in graph.operators:
        for index in operator.outputs:
            tensor = graph.tensors[index]
            if tensor.data is None and not tensor.is_variable and _is_element(tensor.dtype):
                overwriters = _overwriters(graph, index)
                shown[index] = Layer(operator.index, operator.name, tensor.name, str(index), overwriters)
    with damage_as_compile_error(model.file):
        data = _with_outputs(model.data, list(shown))
    numbers = {index: number for number, index in enumerate(shown)}
    outputs = tuple(numbers.get(index) for index in graph.outputs)
    return LayeredModel(ModelFile(model.file, data, model.format), tuple(shown.values()), outputs)


def _overwriters(graph: Subgraph, tensor: int) -> frozenset[str]:
    users = [user for user in graph.operators if tensor in user.inputs and user.name not in _MOVEMENT]
    return frozenset(str(output) for user in users for output in user.outputs)


def _with_outputs(data: bytes, tensors: Sequence[int]) -> bytes:
    """A TensorFlow Lite model whose main graph has other outputs.

    Their list is put at the end of the file, and the table's offset to it, which counts from its own place,
    is pointed there.
    """
    import tflite

    table = tflite.Model.GetRootAs(data, 0).Subgraphs(0)._tab
    # Fields of a table are numbered by the schema, from 4 on in steps of 2: tensors, inputs, outputs.
    place = table.Pos + table.Offset(8)
    changed = bytearray(data) + bytes(-len(data) % 4)
    struct.pack_into("<I", changed, place, len(changed) - place)
    changed += struct.pack(f"<I{len(tensors)}i", len(tensors), *tensors)
    return bytes(changed)


def _onnx_layers(model: ModelFile) -> LayeredModel:
    from builder.importers.onnx_file import read_model

    proto = read_model(model.data, model.file).proto
    graph = proto.graph
    known = {value.name: value for value in (*graph.value_info, *graph.output)}
    is_quantized = any("Quantize" in node.op_type or "QLinear" in node.op_type for node in graph.node)
    shown = {
        layer.key: layer
        for layer in _onnx_nodes(graph)
        if layer.key in known and _is_shown(graph, known[layer.key], is_quantized)
    }
    numbers = {name: number for number, name in enumerate(shown)}
    outputs = tuple(numbers.get(value.name) for value in graph.output)
    values = [known[name] for name in shown]
    del graph.output[:]
    graph.output.extend(values)
    layered = ModelFile(model.file, proto.SerializeToString(deterministic=True), model.format)
    return LayeredModel(layered, tuple(shown.values()), outputs)


def _onnx_nodes(graph: Any) -> Iterator[Layer]:
    constants = {tensor.name for tensor in graph.initializer}
    for index, node in enumerate(graph.node):
        for name in node.output:
            if name and name not in constants and node.op_type != "Constant":
                yield Layer(index, node.op_type, name, name)


def _is_shown(graph: Any, value: Any, is_quantized: bool) -> bool:
    from builder.importers.onnx_file import dtype_name

    dtype = dtype_name(value.type.tensor_type.elem_type)
    is_output = any(output.name == value.name for output in graph.output)
    return _is_element(dtype) and (is_output or not (is_quantized and dtype == "float32"))


def _is_element(dtype: str) -> bool:
    return any(dtype == element.dtype for element in ElementType)
