"""ONNX models into Relax: TVM's frontend reads the operators, rewrites make whole and integer ones of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from builder.importers.frontend import compiler_faults, silence
from builder.importers.onnx_file import read_model
from builder.importers.ports import model_port
from runefile.signatures import ModelSignature

_HINT = "export it with static shapes, or simplify it: python -m onnxsim model.onnx simple.onnx"


def signature(data: bytes, file: str) -> ModelSignature:
    """Inputs and outputs of a model's graph, as it declares them.  Raises CompileError."""
    model = read_model(data, file)
    return ModelSignature(
        inputs=tuple(model_port(port.name, port.dtype, port.shape, file) for port in model.inputs),
        outputs=tuple(model_port(port.name, port.dtype, port.shape, file) for port in model.outputs),
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
    with compiler_faults(file, stage, _HINT), silence():
        module, problems = import_graph(model)
    raise_problems(file, stage, problems)
    with compiler_faults(file, stage, _HINT), silence():
        module = whole_and_integer_operators(module)
        problems = problems_of_kernels(model, module)
    raise_problems(file, stage, problems)
    return inline_function(emit, module, inputs)
