"""Element types and shapes as a Runefile writes them, in both forms."""

from __future__ import annotations

import math
from collections.abc import Sequence

from container.abi import MAXIMUM_MEMORY_BYTES
from container.tensors import ElementType, TensorType
from runefile.diagnostics import Code, Diagnostics, did_you_mean, quoted
from runefile.source import Span
from runefile.syntax import DeclaredType, Port

INFERRED = "_"
"""Written where a type is left to be inferred."""

_OTHER_NAMES = {
    "str": ElementType.UTF8,
    "string": ElementType.UTF8,
    "text": ElementType.UTF8,
    "char": ElementType.UTF8,
    "byte": ElementType.U8,
    "float": ElementType.F32,
    "double": ElementType.F64,
    "int": ElementType.I32,
    "uint": ElementType.U32,
} | {element.dtype: element for element in ElementType if element is not ElementType.UTF8}


def declared_type(name: str, shape: Sequence[int], span: Span, diagnostics: Diagnostics) -> DeclaredType:
    """A type from its parts.  Reports an element type that does not exist and a shape that cannot be."""
    lower = name.lower()
    if lower not in set(ElementType):
        diagnostics.error(Code.UNKNOWN_TYPE, f"Unknown element type, {quoted(name)}", span, _hint(lower))
        return DeclaredType(None, tuple(shape), span)
    element = ElementType(lower)
    if any(size < 1 for size in shape):
        diagnostics.error(Code.WRONG_ARGUMENT, "every dimension must be at least 1", span)
        return DeclaredType(None, (1,), span)
    if math.prod(shape) * element.bytes > MAXIMUM_MEMORY_BYTES:
        message = f"this tensor is larger than {MAXIMUM_MEMORY_BYTES:,} bytes, the most a container may have"
        diagnostics.error(Code.LIMIT, message, span)
        return DeclaredType(None, (1,), span)
    return DeclaredType(element, tuple(shape), span)


def _hint(name: str) -> str | None:
    if name in _OTHER_NAMES:
        return f"write {_OTHER_NAMES[name].value.upper()}"
    return did_you_mean(name, [element.value.upper() for element in ElementType])


def simplified(ports: Sequence[Port]) -> tuple[Port, ...]:
    """Ports of a stage; a single one that says nothing is the same as none."""
    if len(ports) == 1 and ports[0].type is None and ports[0].name is None:
        return ()
    return tuple(ports)


def show_declared(declared: DeclaredType) -> str:
    """A type as text writes it, such as `F32[1,4]`."""
    assert declared.element is not None
    return str(TensorType(declared.element, declared.shape))
