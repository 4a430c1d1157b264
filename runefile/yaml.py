"""The YAML form of a Runefile (`Runefile.yml`, version 1), read."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

from container.manifest import StageKind
from runefile.comments import attach_comments
from runefile.diagnostics import Code, Diagnostics, did_you_mean, near_miss, quoted
from runefile.scalars import NAME, Literal, ResourceName, Scalar, Value, read_text, read_word
from runefile.source import NOWHERE, Source, Span
from runefile.syntax import Argument, Document, Input, Port, Resource, ResourceKind, Stage
from runefile.text import read_pick
from runefile.types import INFERRED, declared_type, simplified
from runefile.yaml_nodes import MappingNode, ScalarNode, SequenceNode, YamlNode, compose

VERSION = 1

DOCUMENT_FIELDS = ("version", "image", "pipeline", "resources")
STAGE_FIELDS = {
    StageKind.CAPABILITY: ("outputs", "args"),
    StageKind.PROC_BLOCK: ("inputs", "input-types", "outputs", "args"),
    StageKind.MODEL: ("inputs", "input-types", "outputs", "args"),
    StageKind.OUT: ("inputs", "args"),
}
"""What a stage may say besides its kind."""
TYPE_FIELDS = ("type", "dimensions")
OUTPUT_FIELDS = ("name", *TYPE_FIELDS)
RESOURCE_FIELDS = ("type", "path", "inline")

_Fields: TypeAlias = dict[str, tuple[ScalarNode, YamlNode]]


def read_yaml_form(source: Source, diagnostics: Diagnostics) -> Document:
    """The tree of a YAML Runefile; what is wrong goes to `diagnostics`, and the tree lacks it."""
    root, scalars = compose(source, diagnostics)
    reader = _Reader(source, diagnostics)
    return attach_comments(reader.document(root), source, scalars)


class _Reader:
    def __init__(self, source: Source, diagnostics: Diagnostics) -> None:
        self._source = source
        self._diagnostics = diagnostics

    def document(self, root: YamlNode | None) -> Document:
        if not isinstance(root, MappingNode):
            message = "expected the fields version, image and pipeline"
            self._error(message, root.span if root else NOWHERE, "begin the file with: version: 1")
            return Document("", source=self._source)
        fields = self._fields(root, DOCUMENT_FIELDS, "a Runefile", required=("version", "image", "pipeline"))
        self._check_version(fields)
        image, span = "", root.span
        if "image" in fields:
            key, node = fields["image"]
            image, span = self._text(node, "image") or "", Span(key.span.start, node.span.end)
        return Document(image, self._stages(fields), self._resources(fields), self._source, span)

    def _check_version(self, fields: _Fields) -> None:
        if "version" not in fields:
            return
        node = fields["version"][1]
        written = node.value if isinstance(node, ScalarNode) else "..."
        if not isinstance(node, ScalarNode) or not node.plain or written != str(VERSION):
            kind = "integer " if isinstance(node, ScalarNode) and node.plain and written.isdecimal() else ""
            message = f"invalid value: {kind}`{quoted(written)[1:-1]}`, expected version to be {VERSION}"
            self._diagnostics.error(Code.VERSION, message, node.span, f"write: version: {VERSION}")

    # Stages

    def _stages(self, fields: _Fields) -> tuple[Stage, ...]:
        pairs = self._pairs(fields, "pipeline", "stages by name")
        stages = [self._stage(key, node) for key, node in pairs if self._is_name(key)]
        return tuple(stage for stage in stages if stage is not None)

    def _stage(self, key: ScalarNode, node: YamlNode) -> Stage | None:
        if not isinstance(node, MappingNode):
            self._error(f"expected the fields of stage {quoted(key.value)}", _place(node, key))
            return None
        kind = self._kind(key, node)
        if kind is None:
            return None
        fields = self._fields(node, (kind.value, *STAGE_FIELDS[kind]), f"{_article(kind)} stage")
        target_key, target_node = fields[kind.value]
        target = self._target(kind, target_node)
        if target is None:
            return None
        return Stage(
            key.value,
            kind,
            target,
            self._inputs(fields),
            self._ports(fields, "input-types", TYPE_FIELDS),
            self._ports(fields, "outputs", OUTPUT_FIELDS),
            self._arguments(fields),
            Span(key.span.start, node.span.end),
            key.span,
            _place(target_node, target_key),
        )

    def _kind(self, key: ScalarNode, node: MappingNode) -> StageKind | None:
        kinds = [name for name, _ in node.pairs if name.value in set(StageKind)]
        if len(kinds) == 1 or len({name.value for name in kinds}) == 1:
            return StageKind(kinds[0].value)
        words = ", ".join(kind.value for kind in StageKind)
        problem = "does not say what it is" if not kinds else "says that it is several things"
        message = f"stage {quoted(key.value)} {problem}: expected one of {words}"
        code = Code.MISSING_FIELD if not kinds else Code.SYNTAX
        near = (near_miss(name.value, list(StageKind)) for name, _ in node.pairs)
        hint = next(filter(None, near), None)
        self._diagnostics.error(code, message, key.span if not kinds else kinds[1].span, hint)
        return None

    def _target(self, kind: StageKind, node: YamlNode) -> str | ResourceName | None:
        text = self._text(node, kind.value)
        if text is None or kind is StageKind.PROC_BLOCK:
            return text
        if kind is StageKind.MODEL:
            return read_text(text)
        if not NAME.fullmatch(text):
            message = f"{quoted(text)} is no kind of {kind.value}"
            self._diagnostics.error(Code.UNKNOWN_KIND, message, node.span)
            return None
        return text.upper()

    def _inputs(self, fields: _Fields) -> tuple[Input, ...]:
        inputs = []
        for node in self._items(fields, "inputs"):
            text = self._text(node, "input")
            stage, dot, pick = (text or "").partition(".")
            if text is None:
                continue
            if not NAME.fullmatch(stage) or (dot and not pick):
                hint = "write the name of a stage, or NAME.0 or NAME.output to pick one of its outputs"
                self._error(f"{quoted(text)} is no reference to a stage", node.span, hint)
                continue
            inputs.append(Input(stage, read_pick(pick) if dot else None, node.span))
        return tuple(inputs)

    def _ports(self, fields: _Fields, field: str, allowed: Collection[str]) -> tuple[Port, ...]:
        return simplified([self._port(node, allowed) for node in self._items(fields, field)])

    def _port(self, node: YamlNode, allowed: Collection[str]) -> Port:
        if not isinstance(node, MappingNode):
            hint = "write it as: {type: F32, dimensions: [1, 4]}"
            self._error("expected the fields type and dimensions", node.span, hint)
            return Port(None, None, node.span)
        fields = self._fields(node, allowed, "a type", required=("type",))
        name = None
        if "name" in fields and isinstance(named := fields["name"][1], ScalarNode) and self._is_name(named):
            name = named.value
        written = self._text(fields["type"][1], "type") if "type" in fields else None
        if written is None or (written == INFERRED and "dimensions" not in fields):
            return Port(None, name, node.span)
        shape = self._dimensions(fields)
        declared = declared_type(written, shape, fields["type"][1].span, self._diagnostics)
        return Port(declared, name, node.span)

    def _dimensions(self, fields: _Fields) -> list[int]:
        if "dimensions" not in fields:
            return [1]
        shape = []
        for node in self._items(fields, "dimensions"):
            value = read_word(node.value) if isinstance(node, ScalarNode) and node.plain else None
            number = value.value if isinstance(value, Literal) else None
            if isinstance(number, int) and not isinstance(number, bool):
                shape.append(number)
            else:
                self._error("expected a dimension: a whole number", node.span)
        return shape

    def _arguments(self, fields: _Fields) -> tuple[Argument, ...]:
        arguments = []
        for key, node in self._pairs(fields, "args", "arguments by name"):
            value = self._value(node) if self._is_name(key) else None
            if value is not None:
                span = Span(key.span.start, node.span.end)
                arguments.append(Argument(key.value, value, span, node.span))
        return tuple(arguments)

    # Resources

    def _resources(self, fields: _Fields) -> tuple[Resource, ...]:
        pairs = self._pairs(fields, "resources", "resources by name")
        resources = [self._resource(key, node) for key, node in pairs if self._is_name(key)]
        return tuple(resource for resource in resources if resource is not None)

    def _resource(self, key: ScalarNode, node: YamlNode) -> Resource | None:
        if not isinstance(node, MappingNode):
            self._error(f"expected the fields of resource {quoted(key.value)}", _place(node, key))
            return None
        fields = self._fields(node, RESOURCE_FIELDS, "a resource")
        kind = self._text(fields["type"][1], "type") if "type" in fields else ResourceKind.STRING.value
        if kind not in set(ResourceKind):
            message = f"a resource holds string or binary, not {quoted(kind or '')}"
            self._diagnostics.error(Code.UNKNOWN_KIND, message, fields["type"][1].span)
            return None
        texts = {name: self._text(fields[name][1], name) for name in ("path", "inline") if name in fields}
        span = Span(key.span.start, node.span.end)
        path_span = _place(fields["path"][1], fields["path"][0]) if "path" in fields else key.span
        inline, path = texts.get("inline"), texts.get("path")
        return Resource(key.value, ResourceKind(kind), path, inline, span, key.span, path_span)

    # Values

    def _value(self, node: YamlNode) -> Value | None:
        if not isinstance(node, SequenceNode):
            return self._scalar(node)
        items = [self._scalar(item) for item in node.items]
        return tuple(item for item in items if item is not None)

    def _scalar(self, node: YamlNode) -> Scalar | None:
        if not isinstance(node, ScalarNode):
            self._error("expected a number, text or a list of them", node.span)
            return None
        if node.is_null:
            self._error("expected a value, found none", node.span, 'for text without content write ""')
            return None
        return read_word(node.value) if node.plain else read_text(node.value)

    def _text(self, node: YamlNode, what: str) -> str | None:
        if isinstance(node, ScalarNode) and not node.is_null:
            return node.value
        self._error(f"expected text for `{what}`", node.span)
        return None

    def _is_name(self, node: ScalarNode) -> bool:
        if NAME.fullmatch(node.value):
            return True
        hint = "names are of letters, digits, _ and -, and begin with a letter or _"
        self._error(f"{quoted(node.value)} is no name", node.span, hint)
        return False

    # Structure

    def _fields(
        self, node: MappingNode, allowed: Collection[str], what: str, required: Collection[str] = ()
    ) -> _Fields:
        """The fields of a mapping by name.  Reports those not allowed, those said twice and those missing."""
        fields: _Fields = {}
        for key, value in node.pairs:
            if key.value in fields:
                message = f"the field `{key.value}` stands here twice"
                self._diagnostics.error(Code.DUPLICATE_NAME, message, key.span, "remove one of them")
            elif key.value not in allowed:
                message = f"{what} has no field {quoted(key.value)}"
                hint = did_you_mean(key.value, allowed)
                self._diagnostics.error(Code.UNKNOWN_FIELD, message, key.span, hint)
            else:
                fields[key.value] = (key, value)
        missing = [name for name in required if name not in fields]
        if missing:
            self._report_missing(missing, Span(node.span.start, node.span.start + 1))
        return fields

    def _report_missing(self, names: list[str], span: Span) -> None:
        examples = {"version": f"version: {VERSION}", "image": "image: runicos/base", "type": "type: F32"}
        message = ", ".join(f"missing field `{name}`" for name in names)
        hint = "add: " + "; ".join(examples.get(name, f"{name}: ...") for name in names)
        self._diagnostics.error(Code.MISSING_FIELD, message, span, hint)

    def _pairs(self, fields: _Fields, field: str, what: str) -> tuple[tuple[ScalarNode, YamlNode], ...]:
        if field not in fields:
            return ()
        key, node = fields[field]
        if isinstance(node, MappingNode):
            return node.pairs
        if not (isinstance(node, ScalarNode) and node.is_null):
            self._error(f"expected {what} below `{field}`", _place(node, key))
        return ()

    def _items(self, fields: _Fields, field: str) -> tuple[YamlNode, ...]:
        if field not in fields:
            return ()
        key, node = fields[field]
        if isinstance(node, SequenceNode):
            return node.items
        if not (isinstance(node, ScalarNode) and node.is_null):
            self._error(f"expected a list for `{field}`", _place(node, key), f"write it as: {field}: [...]")
        return ()

    def _error(self, message: str, span: Span, hint: str | None = None) -> None:
        self._diagnostics.error(Code.SYNTAX, message, span, hint)


def _place(node: YamlNode, key: ScalarNode) -> Span:
    """Where a value stands, or its key where the value is empty."""
    return node.span if node.span.end > node.span.start else key.span


def _article(kind: StageKind) -> str:
    return f"an {kind.value}" if kind is StageKind.OUT else f"a {kind.value}"
