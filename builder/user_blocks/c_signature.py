"""The signature of a proc block in C, which stands in comments of its file.

    // rune-block: mix(a: F32[N], b: F32[N]) -> F32[N]     // rune-summary: a plus a part of b     //
rune-argument: gain: number = 0.5  how much of b

A dimension of an input is a number or a name, which the first input that has it binds.  A dimension of an
output may be computed: `N*2`, `(N+1)/2` (rounded down); integer arguments can be used there too, in
capitals.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

from container.errors import CompileError
from container.manifest import Argument
from container.tensors import ElementType
from runefile.signatures import Parameter, ParameterKind

_WORDS = ("rune-block", "rune-summary", "rune-argument")
_BLOCK = re.compile(r"(?P<name>[A-Za-z_]\w*)\s*\((?P<inputs>[^)]*)\)\s*->\s*(?:\((?P<many>.+)\)|(?P<one>.+))")
_PORT = re.compile(r"\s*(?:(?P<name>[A-Za-z_]\w*)\s*:\s*)?(?P<element>\w+)\s*\[(?P<shape>[^\[\]]*)\]\s*")
_PORTS = re.compile(rf"{re.sub(r'[?]P<[a-z]+>', '?:', _PORT.pattern)}(?:,|$)")
_ARGUMENT = re.compile(
    r"(?P<name>[A-Za-z][\w-]*)\s*:\s*(?P<kind>\w+)(?:\s*=\s*(?P<default>\S+))?(?:\s+(?P<summary>.*))?"
)
_DIMENSION = re.compile(r"[A-Za-z_]\w*|[1-9][0-9]{0,9}")
_KINDS = {
    "number": ParameterKind.NUMBER,
    "integer": ParameterKind.INTEGER,
    "boolean": ParameterKind.BOOLEAN,
    "text": ParameterKind.TEXT,
}
_EXAMPLE = "// rune-block: mix(a: F32[N], b: F32[N]) -> F32[N]"
_LONGEST_LINE = 1000
"""Characters of a comment with a signature."""
_LONGEST_DIMENSION = 100
"""Characters of a computed dimension."""


@dataclass(frozen=True)
class CPort:
    """An input or an output; dimensions are as written."""

    name: str
    element: ElementType
    dimensions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.element.value.upper()}[{','.join(self.dimensions)}]"


@dataclass(frozen=True)
class CSignature:
    function: str
    inputs: tuple[CPort, ...]
    outputs: tuple[CPort, ...]
    parameters: tuple[Parameter, ...]
    summary: str
    line: int
    """Where it stands in its file, from 1."""


def macro(argument: str) -> str:
    """The name under which an argument is defined in C."""
    return argument.upper().replace("-", "_")


def read_signature(text: str, file: str) -> CSignature:
    """The signature in a file's comments.  Raises CompileError with file and line."""
    blocks, summaries, parameters = [], [], []
    for number, line in enumerate(text.split("\n"), 1):
        word, _, rest = line.strip().removeprefix("//").strip().partition(":")
        if not line.lstrip().startswith("//") or word not in _WORDS:
            continue
        if len(line) > _LONGEST_LINE:
            raise CompileError(f"{file}:{number}: the line has more than {_LONGEST_LINE} characters")
        if word == "rune-block":
            blocks.append((rest.strip(), number))
        elif word == "rune-summary":
            summaries.append(rest.strip())
        else:
            parameters.append(_parameter(rest.strip(), f"{file}:{number}"))
    if len(blocks) != 1:
        raise CompileError(
            f"{file} has {len(blocks) or 'no'} comments `rune-block`, expected one with its signature",
            hint=f"write a line such as {_EXAMPLE}",
        )
    written, number = blocks[0]
    return _signature(written, f"{file}:{number}", number, tuple(parameters), " ".join(summaries))


def _signature(
    written: str, place: str, line: int, parameters: tuple[Parameter, ...], summary: str
) -> CSignature:
    found = _BLOCK.fullmatch(written)
    if found is None:
        raise CompileError(
            f"{place}: cannot read the signature {written!r}", hint=f"it looks like {_EXAMPLE}"
        )
    inputs = _ports(found["inputs"], place, "input")
    outputs = _ports(found["many"] or found["one"], place, "output")
    for port in inputs:
        for dimension in port.dimensions:
            if not _DIMENSION.fullmatch(dimension):
                raise CompileError(
                    f"{place}: the dimension {dimension!r} of an input is no name and no number"
                )
    bound = {dimension: 1 for port in inputs for dimension in port.dimensions}
    bound |= {macro(p.name): 1 for p in parameters if p.kind is ParameterKind.INTEGER}
    for port in outputs:
        for dimension in port.dimensions:
            evaluate(dimension, bound, place)
    return CSignature(found["name"], inputs, outputs, parameters, summary, line)


def _ports(written: str, place: str, side: str) -> tuple[CPort, ...]:
    if not written.strip() or _PORTS.sub("", written):
        raise CompileError(
            f"{place}: cannot read the {side}s {written.strip()!r}", hint=f"a signature looks like {_EXAMPLE}"
        )
    return tuple(
        CPort(
            port["name"] or f"{side} {number}",
            _element(port["element"], place),
            tuple(dimension.strip() for dimension in port["shape"].split(",") if dimension.strip()),
        )
        for number, port in enumerate(_PORT.finditer(written))
    )


def _element(written: str, place: str) -> ElementType:
    try:
        element = ElementType(written.lower())
    except ValueError:
        names = ", ".join(element.value.upper() for element in ElementType if element is not ElementType.UTF8)
        raise CompileError(
            f"{place}: there is no element type {written!r}", hint=f"there are {names}"
        ) from None
    if element is ElementType.UTF8:
        raise CompileError(f"{place}: blocks in C take and give no text", hint="use U8 and `utf8_decode`")
    return element


def _parameter(written: str, place: str) -> Parameter:
    found = _ARGUMENT.fullmatch(written)
    kind = _KINDS.get(found["kind"].lower()) if found else None
    if found is None or kind is None:
        raise CompileError(
            f"{place}: cannot read the argument {written!r}",
            hint="it looks like // rune-argument: gain: number = 0.5  how much of b; "
            f"the kinds are {', '.join(_KINDS)}",
        )
    default = None if found["default"] is None else _default(found["default"], kind, place)
    return Parameter(found["name"], kind, found["summary"] or "", default is None, default)


def _default(written: str, kind: ParameterKind, place: str) -> Argument:
    try:
        if kind is ParameterKind.BOOLEAN:
            return {"true": True, "false": False}[written.lower()]
        if kind is ParameterKind.TEXT:
            return written
        return int(written) if kind is ParameterKind.INTEGER else float(written)
    except (ValueError, KeyError):
        raise CompileError(f"{place}: the default {written!r} is not {kind.value}") from None


def evaluate(dimension: str, names: Mapping[str, int], place: str) -> int:
    """A dimension of an output: numbers and names with + - * / ( ), the division rounded down.  Raises
    CompileError.
    """
    try:
        if len(dimension) > _LONGEST_DIMENSION:
            raise SyntaxError("too long")
        return _value(ast.parse(dimension, mode="eval").body, names)
    except KeyError as error:
        raise CompileError(
            f"{place}: the dimension {error.args[0]} of an output is of no input, and no integer argument"
        ) from None
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        raise CompileError(f"{place}: cannot compute the dimension {dimension!r} of an output") from None


def _value(node: ast.expr, names: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return names[name]
        case ast.BinOp(left, operator, right):
            a, b = _value(left, names), _value(right, names)
            match operator:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Div() | ast.FloorDiv():
                    return a // b
    raise SyntaxError("no dimension")
