"""One Relax module for a whole pipeline: proc blocks and models alike, from the sensors to the outputs.

The function `main` takes a tensor for each capability and returns one for each input of each OUT stage, in
the order of their ports; `state.py` says what models with state add to both.  Every variable's name begins
with the number of its stage (`s3__conv2d_0`), which is how later steps know to which stage an operator
belongs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tvm import relax

from builder.block_emitter import RelaxEmitter, block_shape
from builder.blocks.base import Block, use_of
from builder.importers import ONNX, PYTORCH
from builder.importers.tflite import import_model as import_tflite
from builder.names import variable_name
from builder.operators import by_name
from builder.operators.base import Unsupported
from builder.state import STATES, NewState, States
from container.errors import CompileError, RuneError
from container.manifest import OutputReference, StageKind, StageRecord
from container.tensors import TensorType
from runefile.pipeline import TypedPipeline

Values = dict[OutputReference, Any]


def assemble(pipeline: TypedPipeline) -> Any:
    """The pipeline as a Relax module.  Raises CompileError naming the stage and what it cannot do."""
    by_name()  # makes the operators known to Relax; blocks use them without an importer
    builder = relax.BlockBuilder()
    sensors = [stage for stage in pipeline.stages if stage.kind is StageKind.CAPABILITY]
    sensors.sort(key=lambda stage: stage.port or 0)
    parameters = {stage.name: _variable(stage.name, stage.outputs[0]) for stage in sensors}
    values: Values = {OutputReference(name, 0): variable for name, variable in parameters.items()}
    states = States()
    fault: RuneError | None = None
    with builder.function("main"):
        with builder.dataflow():
            try:
                for number, stage in enumerate(pipeline.stages):
                    _emit_stage(builder, pipeline, number, stage, values, states.of_stage(number))
                outputs = _results(pipeline.stages, values)
            except RuneError as error:
                # TVM complains on stderr of a function that was begun and never ended, so it is ended.
                fault, outputs, states = error, [], States()
            results = builder.emit_output(relax.Tuple([*outputs, *states.results]))
        builder.emit_func_output(results, [*parameters.values(), *states.parameters])
    if fault is not None:
        raise fault
    module = builder.get()
    module["main"] = module["main"].with_attr(STATES, len(states.variables))
    return module


def _emit_stage(
    builder: Any,
    pipeline: TypedPipeline,
    number: int,
    stage: StageRecord,
    values: Values,
    new_state: NewState,
) -> None:
    def emit(expression: Any, name: str) -> Any:
        return builder.emit(expression, variable_name(number, name))

    is_block = stage.kind is StageKind.PROC_BLOCK
    inputs = [
        _reshaped(emit, values[reference], block_shape(type_) if is_block else type_.array_shape)
        for reference, type_ in zip(stage.inputs, stage.input_types, strict=True)
    ]
    if is_block:
        results = _block(pipeline, stage, inputs, RelaxEmitter(builder, emit))
    elif stage.kind is StageKind.MODEL:
        results = _model(pipeline, stage, inputs, emit, new_state)
    else:
        return
    for output, (result, type_) in enumerate(zip(results, stage.outputs, strict=True)):
        values[OutputReference(stage.name, output)] = _reshaped(emit, result, type_.array_shape)


def _block(
    pipeline: TypedPipeline, stage: StageRecord, inputs: Sequence[Any], emit: RelaxEmitter
) -> Sequence[Any]:
    block = pipeline.blocks[stage.name]
    if not isinstance(block, Block):
        raise CompileError(f"stage `{stage.name}`: proc block `{stage.target}` has no implementation")
    try:
        results = block.expressions(emit, inputs, use_of(stage), stage.outputs)
    except Unsupported as fault:
        message = f"stage `{stage.name}`, proc block `{stage.target}`: {fault.message}"
        raise CompileError(message, hint=fault.hint) from fault
    _check_results(stage, results)
    return results


def _check_results(stage: StageRecord, results: Sequence[Any]) -> None:
    """A block's code must compute what its type rule says: the next stages count on it."""
    found = [(str(result.ty.dtype), math.prod(map(int, result.ty.shape.values))) for result in results]
    expected = [(kind.element.dtype, math.prod(kind.array_shape)) for kind in stage.outputs]
    if found != expected:
        raise CompileError(
            f"stage `{stage.name}`: the code of proc block `{stage.target}` computes {_listed(found)}, "
            f"its type rule promises {_listed(expected)}"
        )


def _listed(tensors: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{count} elements of {dtype}" for dtype, count in tensors) or "nothing"


def _model(
    pipeline: TypedPipeline,
    stage: StageRecord,
    inputs: Sequence[Any],
    emit: Callable[[Any, str], Any],
    new_state: NewState,
) -> Sequence[Any]:
    model = pipeline.models[stage.name]
    if model.format == ONNX:
        from builder.importers.onnx import import_model as import_onnx

        return import_onnx(emit, model.data, model.file, stage.name, inputs)
    if model.format == PYTORCH:
        from builder.importers.torch import import_model as import_torch

        return import_torch(emit, model.data, model.file, stage.name, inputs)
    return import_tflite(emit, model.data, model.file, stage.name, inputs, new_state, model.signature)


def _results(stages: Sequence[StageRecord], values: Mapping[OutputReference, Any]) -> list[Any]:
    outs = sorted((s for s in stages if s.kind is StageKind.OUT), key=lambda stage: stage.port or 0)
    return [values[reference] for stage in outs for reference in stage.inputs]


def _variable(name: str, type_: TensorType) -> Any:
    return relax.Var(name, relax.TensorType(type_.array_shape, type_.element.dtype))


def _reshaped(emit: Callable[[Any, str], Any], value: Any, shape: tuple[int, ...]) -> Any:
    """The value under another shape, which may differ by dimensions of size one."""
    if tuple(int(size) for size in value.ty.shape.values) == shape:
        return value
    return emit(relax.op.reshape(value, shape), "reshape_")
