"""What model files of several formats share: inputs and outputs as they declare them."""

from __future__ import annotations

from container.errors import CompileError
from container.tensors import ElementType, TensorType
from runefile.signatures import ModelPort

MAXIMUM_ELEMENTS = 1 << 28
"""No tensor of a model for small machines comes near; larger ones are refused as damage."""


def model_port(name: str, dtype: str, shape: tuple[int, ...], file: str) -> ModelPort:
    """The port of that name and dtype.  Raises CompileError when no stage can take or give the dtype."""
    try:
        element = ElementType.from_dtype(dtype)
    except ValueError as fault:
        raise CompileError(
            f"{file}: tensor {name!r} is {dtype}, which no stage can take or give",
            hint="supported element types: " + ", ".join(e.value for e in ElementType),
        ) from fault
    return ModelPort(name, TensorType(element, shape))
