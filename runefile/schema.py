"""The JSON schema of `Runefile.yml` for editors, made from the checker's own tables.

    python -m runefile.schema > docs/runefile.schema.json

It is as strict as a schema can be without the graph: names of fields, kinds, element types and the arguments
of capabilities, outputs and models.  The checker knows more.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TypeAlias

from container.manifest import StageKind
from container.tensors import ElementType
from runefile.capabilities import CAPABILITIES
from runefile.models import PARAMETERS
from runefile.outputs import OUTPUTS
from runefile.scalars import NAME
from runefile.signatures import Parameter, ParameterKind
from runefile.syntax import ResourceKind
from runefile.types import INFERRED
from runefile.yaml import DOCUMENT_FIELDS, OUTPUT_FIELDS, RESOURCE_FIELDS, STAGE_FIELDS, TYPE_FIELDS, VERSION

Schema: TypeAlias = dict[str, object]

_NAME_PATTERN = f"^{NAME.pattern}$"
_RESOURCE: Schema = {"type": "string", "pattern": rf"^\${NAME.pattern}$"}
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_KINDS: dict[ParameterKind, Schema] = {
    ParameterKind.INTEGER: {"type": "integer"},
    ParameterKind.NUMBER: {"type": "number"},
    ParameterKind.TEXT: _SCALAR,
    ParameterKind.BOOLEAN: {"type": "boolean"},
    ParameterKind.LIST: {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]},
    ParameterKind.INTEGERS: {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
    ParameterKind.NUMBERS: {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}]},
}


def schema() -> Schema:
    """The schema of version 1 as plain values (JSON Schema 2020-12)."""
    fields: Schema = {
        "version": {"const": VERSION},
        "image": {"type": "string", "description": "the base image, such as runicos/base"},
        "pipeline": _named({"$ref": "#/$defs/stage"}, "the stages by name"),
        "resources": _named({"$ref": "#/$defs/resource"}, "text and bytes that stages use, by name"),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Runefile",
        **_object(DOCUMENT_FIELDS, fields, ("version", "image", "pipeline")),
        "$defs": {
            "stage": {"oneOf": [*_capabilities(), _proc_block(), _model(), *_outs()]},
            "type": _type(TYPE_FIELDS),
            "output": _type(OUTPUT_FIELDS),
            "resource": _resource(),
        },
    }


def text() -> str:
    """The schema as the file that is committed."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _object(order: Sequence[str], fields: Schema, required: Sequence[str]) -> Schema:
    properties = {name: fields[name] for name in order}
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _named(value: Schema, description: str) -> Schema:
    names: Schema = {"pattern": _NAME_PATTERN}
    # Nothing below the key is the same as an empty mapping.
    kinds = ["object", "null"]
    return {
        "type": kinds,
        "description": description,
        "propertyNames": names,
        "additionalProperties": value,
    }


def _either_case(words: Sequence[str]) -> list[str]:
    return [written for word in words for written in dict.fromkeys((word.upper(), word.lower()))]


def _type(order: Sequence[str]) -> Schema:
    elements = _either_case([element.value for element in ElementType])
    sizes: Schema = {"type": "integer", "minimum": 1}
    fields: Schema = {
        "name": {"type": "string", "pattern": _NAME_PATTERN, "description": "a name to pick it by"},
        "type": {"enum": [*elements, INFERRED], "description": "type of one element; _ is inferred"},
        "dimensions": {"type": "array", "items": sizes, "description": "the shape; [1] unless given"},
    }
    return _object(order, fields, ("type",))


def _stage(kind: StageKind, target: Schema, arguments: Schema) -> Schema:
    input_pattern = rf"^{NAME.pattern}(\..+)?$"
    inputs: Schema = {"type": "string", "pattern": input_pattern}
    fields: Schema = {
        kind.value: target,
        "inputs": {"type": "array", "items": inputs, "description": "stages, as NAME, NAME.0 or NAME.output"},
        "input-types": {"type": "array", "items": {"$ref": "#/$defs/type"}},
        "outputs": {"type": "array", "items": {"$ref": "#/$defs/output"}},
        "args": arguments,
    }
    return _object((kind.value, *STAGE_FIELDS[kind]), fields, (kind.value,))


def _capabilities() -> list[Schema]:
    return [
        _stage(
            StageKind.CAPABILITY,
            {"enum": _either_case([kind.name]), "description": kind.summary},
            _arguments(kind.parameters),
        )
        for kind in CAPABILITIES.values()
    ]


def _outs() -> list[Schema]:
    return [
        _stage(
            StageKind.OUT,
            {"enum": _either_case([kind.name]), "description": kind.summary},
            _arguments(kind.parameters),
        )
        for kind in OUTPUTS.values()
    ]


def _proc_block() -> Schema:
    path: Schema = {"type": "string", "description": "a block's path; its last segment is its name"}
    anything: Schema = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}
    return _stage(StageKind.PROC_BLOCK, path, _named(anything, "arguments by name"))


def _model() -> Schema:
    file: Schema = {"type": "string", "description": "a model file, or a binary resource as $NAME"}
    return _stage(StageKind.MODEL, file, _arguments(PARAMETERS))


def _arguments(parameters: Sequence[Parameter]) -> Schema:
    properties: Schema = {}
    for parameter in parameters:
        for name in (parameter.name, *parameter.aliases):
            for written in dict.fromkeys((name.replace("_", "-"), name.replace("-", "_"))):
                properties[written] = _argument(parameter)
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def _argument(parameter: Parameter) -> Schema:
    kind = _KINDS[parameter.kind]
    if parameter.choices:
        # Any case, and as the first Runefiles wrote it: @PixelFormat::RGB.
        choices = list(dict.fromkeys([*parameter.choices, *_either_case(parameter.choices)]))
        kind = {"anyOf": [{"enum": choices}, {"type": "string", "pattern": "^@[A-Za-z]+::[A-Za-z0-9]+$"}]}
    return {"description": parameter.summary, "anyOf": [kind, _RESOURCE]}


def _resource() -> Schema:
    fields: Schema = {
        "type": {"enum": [kind.value for kind in ResourceKind]},
        "path": {"type": "string", "description": "a file, relative to the Runefile"},
        "inline": {
            "type": ["string", "number", "boolean"],
            "description": "the text, or the bytes as base64",
        },
    }
    return _object(RESOURCE_FIELDS, fields, ())


if __name__ == "__main__":
    sys.stdout.write(text())
