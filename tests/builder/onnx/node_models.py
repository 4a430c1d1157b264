"""ONNX's own models of single nodes, made ready to be compiled.

Inputs that say what shape a result has (axes, sizes, repeats, k) become constants, and booleans go through
casts, since ports have no booleans.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from builder.importers import ONNX, read_signature
from container.manifest import OutputReference, StageKind, StageRecord
from container.tensors import TensorType
from runefile.pipeline import ModelFile, TypedPipeline
from tests.builder.support import Array
from tests.shared import shared_path

FOLDER = "models/onnx_node_tests"
SHAPING_INPUTS = {
    "Expand": (1,),
    "GRU": (4,),
    "LSTM": (4,),
    "Pad": (1, 2, 3),
    "ReduceMax": (1,),
    "ReduceMean": (1,),
    "ReduceSum": (1,),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}
"""By operator, the numbers of the inputs that are bound as constants."""


@dataclass(frozen=True)
class NodeModel:
    """A model, and a vector of inputs that it is run on and outputs that are expected."""

    name: str
    operator: str
    data: bytes
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]


def names() -> list[str]:
    """Of all the models, in the order of their index."""
    return [row[0] for row in json.loads(shared_path(f"{FOLDER}/index.json").read_text())]


def node_model(name: str) -> NodeModel:
    proto = onnx.load(shared_path(f"{FOLDER}/{name}.onnx"))
    with np.load(shared_path(f"{FOLDER}/{name}.npz")) as file:
        inputs, outputs = _numbered(file, "in"), _numbered(file, "out")
    graph, kept = proto.graph, []
    bound = _bound_names(graph)
    for value, array in zip(list(graph.input), inputs, strict=True):
        if value.name in bound:
            graph.initializer.append(numpy_helper.from_array(array, value.name))
            graph.input.remove(value)
        else:
            kept.append(array)
    _cast_booleans(graph)
    operator = "+".join(sorted({node.op_type for node in graph.node} - {"Cast"}))
    return NodeModel(name, operator, proto.SerializeToString(), _as_ports(kept), _as_ports(outputs))


def _numbered(file: Any, prefix: str) -> list[Array]:
    return [file[f"{prefix}{k}"] for k in range(sum(name.startswith(prefix) for name in file))]


def _bound_names(graph: Any) -> set[str]:
    return {
        node.input[position]
        for node in graph.node
        for position in SHAPING_INPUTS.get(node.op_type, ())
        if position < len(node.input)
    }


def _cast_booleans(graph: Any) -> None:
    """Inputs and outputs that are booleans as uint8, cast behind and before."""
    first, last = [], []
    for value in graph.input:
        if value.type.tensor_type.elem_type == TensorProto.BOOL:
            inner, value.name = value.name, f"{value.name}_as_u8"
            first.append(helper.make_node("Cast", [value.name], [inner], to=TensorProto.BOOL))
            value.type.tensor_type.elem_type = TensorProto.UINT8
    for value in graph.output:
        if value.type.tensor_type.elem_type == TensorProto.BOOL:
            inner, value.name = value.name, f"{value.name}_as_u8"
            last.append(helper.make_node("Cast", [inner], [value.name], to=TensorProto.UINT8))
            value.type.tensor_type.elem_type = TensorProto.UINT8
    nodes = [*first, *graph.node, *last]
    del graph.node[:]
    graph.node.extend(nodes)


def _as_ports(arrays: Sequence[Array]) -> tuple[Array, ...]:
    return tuple(array.astype("uint8") if array.dtype == bool else array for array in arrays)


def pipeline_of_models(models: Sequence[NodeModel]) -> TypedPipeline:
    """A stage for each model, a sensor for each of their inputs, an OUT stage for all of their outputs."""
    stages: list[StageRecord] = []
    results: list[tuple[OutputReference, TensorType]] = []
    port = itertools.count()
    for model in models:
        signature = read_signature(model.data, model.name, ONNX)
        sensors = [
            StageRecord(f"{model.name}_{k}", StageKind.CAPABILITY, "RAW", outputs=(i.type,), port=next(port))
            for k, i in enumerate(signature.inputs)
        ]
        stage = StageRecord(
            model.name,
            StageKind.MODEL,
            model.name,
            inputs=tuple(OutputReference(sensor.name, 0) for sensor in sensors),
            input_types=tuple(i.type for i in signature.inputs),
            outputs=tuple(o.type for o in signature.outputs),
        )
        stages += [*sensors, stage]
        results += [(OutputReference(model.name, k), kind) for k, kind in enumerate(stage.outputs)]
    references, kinds = zip(*results, strict=True)
    stages.append(StageRecord("out", StageKind.OUT, "TENSOR", inputs=references, input_types=kinds, port=0))
    files = {model.name: ModelFile(f"{model.name}.onnx", model.data, ONNX) for model in models}
    return TypedPipeline("nodes", tuple(stages), files, {})
