"""What flows between stages: outputs, what edges pick of them, and shapes that change on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from container.tensors import Quantization, TensorType
from runefile.syntax import DeclaredType, Input, Port, Stage


@dataclass(frozen=True)
class Outputs:
    """What is known of a stage's outputs; a type is None where an error hides it."""

    types: tuple[TensorType | None, ...]
    names: tuple[str | None, ...]


def block_name(path: str) -> str:
    """The name of a proc block: the last segment of its path after `#` or `/`, without a version.

    >>> block_name("hotg-ai/proc-blocks@v0.11.3#fft"), block_name("hotg-ai/rune#proc-blocks/label")
    ('fft', 'label')
    """
    segment = path.rstrip("/").replace("#", "/").rpartition("/")[2]
    return segment.partition("@")[0]


def pick_number(edge: Input, outputs: Outputs) -> int | None:
    """The number of the output that an edge takes; None when there is none, or it says too little."""
    if edge.pick is None:
        return 0 if len(outputs.types) == 1 else None
    if isinstance(edge.pick, int):
        return edge.pick if edge.pick < len(outputs.types) else None
    return outputs.names.index(edge.pick) if edge.pick in outputs.names else None


def reshaped(tensor: TensorType, shape: tuple[int, ...]) -> TensorType:
    """The same tensor with other dimensions of one; the axis of its quantisation moves along."""
    quantization = tensor.quantization
    if quantization is not None and quantization.axis is not None and shape != tensor.shape:
        quantization = _moved_axis(quantization, tensor.shape, shape)
    return replace(tensor, shape=shape, quantization=quantization)


def _moved_axis(quantization: Quantization, old: tuple[int, ...], new: tuple[int, ...]) -> Quantization:
    assert quantization.axis is not None
    if old[quantization.axis] == 1:
        return replace(quantization, axis=None)
    rank = sum(size != 1 for size in old[: quantization.axis])
    return replace(quantization, axis=[axis for axis, size in enumerate(new) if size != 1][rank])


def declared_tensor(declared: DeclaredType | None) -> TensorType | None:
    """A declared type, None where it is to be inferred or does not exist."""
    if declared is None or declared.element is None:
        return None
    return TensorType(declared.element, declared.shape)


def declared_at(ports: Sequence[Port], number: int) -> TensorType | None:
    """The declared type of one of a stage's inputs or outputs, if there is one."""
    return declared_tensor(ports[number].type) if number < len(ports) else None


def is_unknown(port: Port) -> bool:
    """Whether its type names an element that does not exist, which has been reported."""
    return port.type is not None and port.type.element is None


def declared_outputs(stage: Stage) -> Outputs | None:
    """What is left to check the rest with, where a stage's own types cannot be inferred."""
    if not stage.outputs:
        return None
    return Outputs(
        tuple(declared_tensor(port.type) for port in stage.outputs),
        tuple(port.name for port in stage.outputs),
    )
