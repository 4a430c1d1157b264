"""ONNX models into Relax: TVM's frontend reads the operators, rewrites make whole and integer ones of it."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from builder.importers.onnx_file import Port, read_model
from container.errors import CompileError
from container.tensors import ElementType, TensorType
from runefile.signatures import ModelPort, ModelSignature


def signature(data: bytes, file: str) -> ModelSignature:
    """Inputs and outputs of a model's graph, as it declares them.  Raises CompileError."""
    model = read_model(data, file)
    return ModelSignature(
        inputs=tuple(_model_port(port, file) for port in model.inputs),
        outputs=tuple(_model_port(port, file) for port in model.outputs),
        format="onnx",
    )


def import_model(
    emit: Callable[[Any, str], Any], data: bytes, file: str, stage: str, inputs: Sequence[Any]
) -> list[Any]:
    """Emits the model's operators, `emit(expression, name)` binding each; returns the values of its outputs.

    Raises CompileError naming every operator that cannot be compiled, not only the first.
    """
    from builder.importers.onnx_graph import import_graph, problems_of_kernels
    from builder.importers.problems import raise_problems
    from builder.passes import whole_and_integer_operators
    from builder.passes.inlining import inline_function

    model = read_model(data, file)
    with _compiler_faults(file, stage), _silence():
        module, problems = import_graph(model)
    raise_problems(file, stage, problems)
    with _compiler_faults(file, stage), _silence():
        module = whole_and_integer_operators(module)
        problems = problems_of_kernels(model, module)
    raise_problems(file, stage, problems)
    return inline_function(emit, module, inputs)


@contextlib.contextmanager
def _compiler_faults(file: str, stage: str) -> Iterator[None]:
    """Turns whatever TVM stumbles over into one error that names the stage."""
    try:
        yield
    except CompileError:
        raise
    except Exception as fault:
        from builder.passes.faults import summary

        raise CompileError(
            f"stage `{stage}`: {file} cannot be compiled: {summary(fault)}",
            hint="export it with static shapes, or simplify it: python -m onnxsim model.onnx simple.onnx",
        ) from fault


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """TVM's frontend prints to stdout, which belongs to facts, and warns of what we report ourselves."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _model_port(port: Port, file: str) -> ModelPort:
    try:
        element = ElementType.from_dtype(port.dtype)
    except ValueError as fault:
        raise CompileError(
            f"{file}: tensor {port.name!r} is {port.dtype}, which no stage can take or give",
            hint="supported element types: " + ", ".join(e.value for e in ElementType),
        ) from fault
    return ModelPort(port.name, TensorType(element, port.shape))
