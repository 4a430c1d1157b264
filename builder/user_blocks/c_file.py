"""A proc block in a C file: `int32_t NAME(const T *input..., T *output...)`, which returns 0 or a failure.

Each use is a translation unit of its own, in front of which the dimensions and arguments of this use are
defined, and the function is declared under a symbol of its own: two blocks, or two uses of one, cannot
clash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from builder.blocks.base import Block, CSource, Emitter
from builder.blocks.rules import integer, number
from builder.c_types import C_TYPES, FAILURE_DEFINITIONS
from builder.user_blocks.c_signature import CPort, CSignature, evaluate, macro
from container.abi import MAXIMUM_MEMORY_BYTES
from container.manifest import Argument
from container.tensors import TensorType
from runefile.signatures import BlockUse, ParameterKind, TypeRuleError


class CBlock(Block):
    """A block whose signature stands in its C file."""

    def __init__(self, name: str, file: str, text: str, signature: CSignature) -> None:
        self.name = name
        self.summary = signature.summary
        self.parameters = signature.parameters
        self._file, self._text, self._signature = file, text, signature

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        names = self._names(use)
        place = f"{self._file}:{self._signature.line}"
        outputs = []
        for port in self._signature.outputs:
            shape = tuple(evaluate(dimension, names, place) for dimension in port.dimensions)
            kind = TensorType(port.element, shape)
            if min((*shape, 1)) < 1 or kind.bytes > MAXIMUM_MEMORY_BYTES:
                raise TypeRuleError(f"the output {port} would have the shape {list(shape)}")
            outputs.append(kind)
        return tuple(outputs)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        return emit.c_function(self._symbol(use), inputs, outputs, self._signature.function)

    def sources(self, use: BlockUse, outputs: Sequence[TensorType]) -> Sequence[CSource]:
        signature = self._signature
        parameters = [f"const {C_TYPES[port.element.dtype]} *" for port in signature.inputs]
        parameters += [f"{C_TYPES[port.element.dtype]} *" for port in signature.outputs]
        lines = [
            *self._definitions(use),
            f'#line {signature.line} "{self._file}"',
            f'int32_t {signature.function}({", ".join(parameters)}) __asm__("{self._symbol(use)}");',
            f'#line 1 "{self._file}"',
            self._text,
        ]
        return [CSource(self._file, "\n".join(lines) + "\n")]

    def _symbol(self, use: BlockUse) -> str:
        """What the function is called in the container: the same for the same text and definitions."""
        content = json.dumps([self._file, self._text, self._definitions(use)])
        return f"block_{self._signature.function}_{hashlib.sha256(content.encode()).hexdigest()[:16]}"

    def _definitions(self, use: BlockUse) -> list[str]:
        """What the user's text may count on."""
        lines = ["#include <stdbool.h>", "#include <stdint.h>", *FAILURE_DEFINITIONS]
        values = {macro(name): _literal(value) for name, value in use.arguments.items()}
        values |= {name: str(size) for name, size in self._names(use).items()}
        return lines + [f"#define {name} {value}" for name, value in sorted(values.items())]

    def _names(self, use: BlockUse) -> dict[str, int]:
        """The values of the dimensions and of the integer arguments.  Raises TypeRuleError."""
        ports = self._signature.inputs
        if len(use.inputs) != len(ports):
            takes = f"{len(ports)} input{'s' if len(ports) != 1 else ''}"
            raise TypeRuleError(f"takes {takes} ({_listed(ports)}), is given {len(use.inputs)}")
        names: dict[str, int] = {}
        for parameter in self._signature.parameters:
            if parameter.kind is ParameterKind.NUMBER:
                number(use, parameter.name)
            if parameter.kind is ParameterKind.INTEGER:
                names[macro(parameter.name)] = integer(use, parameter.name) or 0
        for position, (port, kind) in enumerate(zip(ports, use.inputs, strict=True)):
            _bind(port, kind, position, names)
        return {name: size for name, size in names.items() if not name.isdigit()}


def _bind(port: CPort, kind: TensorType, position: int, names: dict[str, int]) -> None:
    """Binds the names in a port's dimensions, or checks those that are bound.  Raises TypeRuleError."""
    shape = _fitted(kind.shape, len(port.dimensions))
    takes = f"takes {port} as {port.name}, is given {kind}"
    if kind.element is not port.element or shape is None:
        raise TypeRuleError(takes, hint="`cast`, `reshape` and `transpose` change types", input=position)
    for dimension, size in zip(port.dimensions, shape, strict=True):
        wanted = int(dimension) if dimension.isdigit() else names.setdefault(dimension, size)
        if wanted != size:
            raise TypeRuleError(f"{takes}: {dimension} is {wanted}, not {size}", input=position)


def _fitted(shape: tuple[int, ...], rank: int) -> tuple[int, ...] | None:
    """The shape in a rank: dimensions of one are left out from the left, or put in there.  None when that
    fails.
    """
    sizes = list(shape)
    while len(sizes) > rank and 1 in sizes:
        sizes.remove(1)
    sizes = [1] * (rank - len(sizes)) + sizes
    return tuple(sizes) if len(sizes) == rank else None


def _literal(value: Argument) -> str:
    """An argument in C; a float as the shortest text that reads back to it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"({value!r})"
    return _string(str(value))


def _string(text: str) -> str:
    """A string literal: everything but plain characters as octal escapes, which end after three digits."""
    plain = [
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode()
    ]
    return f'"{"".join(plain)}"'


def _listed(ports: Sequence[CPort]) -> str:
    return ", ".join(f"{port.name}: {port}" for port in ports)
