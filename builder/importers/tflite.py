"""TensorFlow Lite models into Relax: operators read themselves (`builder/operators`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.importers.tflite_file import (
    Operator,
    Subgraph,
    Tensor,
    damage_as_compile_error,
    read_signatures,
    read_subgraphs,
)
from container.errors import CompileError
from container.tensors import ElementType, TensorType
from runefile.signatures import ModelPort, ModelSignature

if TYPE_CHECKING:
    from builder.importers.problems import Problem
    from builder.importers.tflite_state import ModelMemory
    from builder.state import NewState


def signature(data: bytes, file: str, key: str | None = None) -> ModelSignature:
    """Inputs and outputs of a model's main graph, or of the signature with that key.  Raises CompileError."""
    entry = _entry(data, file, key)
    return ModelSignature(
        inputs=tuple(_port(entry.graph.tensors[i], name, file) for name, i in entry.inputs),
        outputs=tuple(_port(entry.graph.tensors[i], name, file) for name, i in entry.outputs),
        format="tensorflow-lite",
    )


def import_model(
    emit: Callable[[Any, str], Any],
    data: bytes,
    file: str,
    stage: str,
    inputs: Sequence[Any],
    new_state: NewState,
    key: str | None = None,
) -> list[Any]:
    """Emits the model's operators, `emit(expression, name)` binding each; returns the values of its outputs.

    What the model keeps from one run to the next becomes states, which `new_state(name, initial)` makes.
    Raises CompileError naming every operator that cannot be compiled, not only the first.
    """
    from builder.importers.problems import raise_problems
    from builder.importers.tflite_state import ModelMemory

    entry = _entry(data, file, key)
    graph = entry.graph
    memory = ModelMemory(read_subgraphs(data, file), new_state)
    values = dict(zip((i for _, i in entry.inputs), inputs, strict=True))
    problems: list[Problem] = []
    with damage_as_compile_error(file):
        for operator in graph.operators:
            problems += _import_operator(emit, graph, operator, values, memory)
    raise_problems(file, stage, problems)
    return [_result(graph, index, values, file) for _, index in entry.outputs]


def _import_operator(
    emit: Callable[[Any, str], Any],
    graph: Subgraph,
    operator: Operator,
    values: dict[int, Any],
    memory: ModelMemory,
) -> list[Problem]:
    from tvm import relax

    from builder.folding import folded
    from builder.importers.problems import Problem
    from builder.importers.tflite_state import Resource
    from builder.operators import by_tflite_name
    from builder.operators.base import Node, Unsupported, is_constant

    outputs = [graph.tensors[i] for i in operator.outputs]

    def bind(expression: Any) -> Any:
        known = expression if is_constant(expression) else folded(expression)
        if known is not None:
            return known  # later operators may need its value, as they do of a constant in the file
        is_reshape = isinstance(expression, relax.Call) and expression.op.name == "relax.reshape"
        name = "reshape" if is_reshape else operator.name.lower()
        return emit(expression, f"{name}_{operator.index}_")

    try:
        reader = by_tflite_name().get(operator.name)
        if reader is None:
            raise Unsupported("the operator is not supported yet", hint=_supported(by_tflite_name()))
        results = reader.read_tflite(Node(operator, graph.tensors, values, bind, memory))
        results = results if isinstance(results, (list, tuple)) else [results]
        for tensor, result in zip(outputs, results, strict=True):
            values[tensor.index] = result if isinstance(result, Resource) else bind(result)
        return []
    except Unsupported as fault:
        # Stand-ins let the walk go on, so that one build names all problems of a model.
        for tensor in outputs:
            dtype = tensor.dtype if tensor.dtype.islower() else "int8"
            values[tensor.index] = relax.Var(f"missing_{tensor.index}", relax.TensorType(tensor.shape, dtype))
        names = ", ".join(repr(tensor.name) for tensor in outputs)
        return [Problem(operator.index, operator.name, names, fault.message, fault.hint)]


def _supported(names: Any) -> str:
    return "supported operators: " + ", ".join(sorted(names))


def _result(graph: Subgraph, index: int, values: dict[int, Any], file: str) -> Any:
    tensor = graph.tensors[index]
    if index in values:
        return values[index]
    if tensor.data is not None:
        from builder.operators.base import constant

        return constant(tensor.data)
    raise CompileError(f"{file}: no operator computes the output {tensor.name!r}")


@dataclass(frozen=True)
class _Entry:
    """Where a model is entered: a graph, and its inputs and outputs by name and tensor number."""

    graph: Subgraph
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]


def _entry(data: bytes, file: str, key: str | None) -> _Entry:
    graphs = read_subgraphs(data, file)
    if key is None:
        if not graphs or not graphs[0].outputs:
            raise CompileError(f"{file}: the model has no graph with outputs")
        main = graphs[0]
        inputs, outputs = (
            tuple((main.tensors[i].name, i) for i in numbers) for numbers in (main.inputs, main.outputs)
        )
        return _Entry(main, inputs, outputs)
    signatures = {signature.key: signature for signature in read_signatures(data, file)}
    if key not in signatures:
        known = ", ".join(f"`{name}`" for name in signatures) or "none"
        raise CompileError(
            f"{file}: the model has no signature `{key}`",
            hint=f"its signatures are: {known}" if signatures else "leave `--signature` out",
        )
    chosen = signatures[key]
    return _Entry(graphs[chosen.subgraph], chosen.inputs, chosen.outputs)


def _port(tensor: Tensor, name: str, file: str) -> ModelPort:
    try:
        element = ElementType.from_dtype(tensor.dtype)
    except ValueError as fault:
        raise CompileError(
            f"{file}: tensor {tensor.name!r} is {tensor.dtype}, which no stage can take or give",
            hint="supported element types: " + ", ".join(e.value for e in ElementType),
        ) from fault
    return ModelPort(name, TensorType(element, tensor.shape, tensor.quantization))
