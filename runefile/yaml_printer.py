"""The YAML form of a Runefile, written in the one canonical way."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from container.manifest import StageKind
from runefile.scalars import Literal, ResourceName, Scalar, is_literal, quote, unwritable, written_text
from runefile.syntax import Argument, Comments, Document, Input, Port, Resource, Stage
from runefile.text_printer import join_lines
from runefile.types import INFERRED
from runefile.yaml import VERSION

_PLAIN = re.compile(r"(?!\.[0-9])(?!\.$)[A-Za-z_./$][\w./$@#+'-]*", re.ASCII)
_YAML_1_1 = re.compile(r"(?i:yes|no|on|off|true|false|null)")
"""Words that older YAML readers take for truth values, so that they get quotes."""
_STEP = "  "

T = TypeVar("T")


def print_yaml(document: Document) -> str:
    """Canonical YAML.  Raises nothing; the document must have been read without errors."""
    image = f"image: {_text(document.image)}"
    lines = [*document.comments.before, f"version: {VERSION}", _end(image, document.comments)]
    lines += _section("pipeline", document.stages, _stage)
    if document.resources:
        lines += ["", *_section("resources", document.resources, _resource)]
    return join_lines([*lines, *document.closing])


def _section(name: str, parts: Sequence[T], show: Callable[[T], list[str]]) -> list[str]:
    if not parts:
        return [f"{name}: {{}}"]
    shown = [line for part in parts for line in show(part)]
    if shown[0] == "":
        return ["", f"{name}:", *_indent(shown[1:])]
    return [f"{name}:", *_indent(shown)]


def _stage(stage: Stage) -> list[str]:
    target = stage.target if stage.kind is StageKind.PROC_BLOCK else written_text(stage.target)
    fields = [f"{stage.kind.value}: {_text(str(target))}"]
    fields += _list("inputs", stage.inputs, _input)
    fields += _list("input-types", stage.input_types, _port)
    fields += _list("outputs", stage.outputs, _port)
    arguments = [line for argument in stage.arguments for line in _argument(argument)]
    fields += ["args:", *_indent(arguments)] if arguments else []
    return [*stage.comments.before, _end(f"{_text(stage.name)}:", stage.comments), *_indent(fields)]


def _resource(resource: Resource) -> list[str]:
    fields = [f"type: {resource.kind}"]
    if resource.path is not None:
        fields.append(f"path: {_text(resource.path)}")
    if resource.inline is not None:
        first, *rest = _lines_of(resource.inline)
        fields += [f"inline: {first}", *_indent(rest)]
    name = f"{_text(resource.name)}:"
    return [*resource.comments.before, _end(name, resource.comments), *_indent(fields)]


def _list(name: str, parts: Sequence[T], show: Callable[[T], list[str]]) -> list[str]:
    return [f"{name}:", *_indent([line for part in parts for line in show(part)])] if parts else []


def _input(edge: Input) -> list[str]:
    return [*_comments_before(edge.comments), _end(f"- {_text(str(edge))}", edge.comments)]


def _port(port: Port) -> list[str]:
    fields = [] if port.name is None else [f"name: {_text(port.name)}"]
    if port.type is None:
        fields.append(f"type: {INFERRED}")
    else:
        assert port.type.element is not None
        fields.append(f"type: {port.type.element.value.upper()}")
        fields.append(f"dimensions: [{', '.join(map(str, port.type.shape))}]")
    first, *rest = fields
    return [*_comments_before(port.comments), _end(f"- {first}", port.comments), *_indent(rest)]


def _argument(argument: Argument) -> list[str]:
    before, key = _comments_before(argument.comments), f"{_text(argument.name)}:"
    if isinstance(argument.value, tuple) and argument.value:
        items = [f"- {_scalar(item)}" for item in argument.value]
        return [*before, _end(key, argument.comments), *_indent(items)]
    if isinstance(argument.value, tuple):
        return [*before, _end(f"{key} []", argument.comments)]
    if isinstance(argument.value, str):
        first, *rest = _lines_of(written_text(argument.value))
        return [*before, _end(f"{key} {first}", argument.comments), *_indent(rest)]
    return [*before, _end(f"{key} {_scalar(argument.value)}", argument.comments)]


def _scalar(value: Scalar) -> str:
    if isinstance(value, Literal):
        return value.written
    return str(value) if isinstance(value, ResourceName) else _text(written_text(value))


def _lines_of(text: str) -> list[str]:
    """A text as a value: several lines as a block below `|`, where nothing in it needs an escape."""
    body = text.removesuffix("\n")
    lines = body.split("\n")
    plain = all(line == line.strip() for line in lines) and lines[0] and lines[-1]
    if "\n" not in text or not plain or "\r" in text or unwritable(text):
        return [_text(text)]
    return ["|" if text.endswith("\n") else "|-", *lines]


def _text(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and not is_literal(text) and not _YAML_1_1.fullmatch(text)
    return text if plain else quote(text)


def _end(line: str, comments: Comments) -> str:
    return line if comments.after is None else f"{line} {comments.after}"


def _comments_before(comments: Comments) -> list[str]:
    """Inside a stage blank lines are left out: they part the statements of text."""
    return [comment for comment in comments.before if comment]


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"{_STEP}{line}" if line else "" for line in lines]
