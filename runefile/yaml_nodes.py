"""YAML as nodes with places, made from PyYAML's events.

Built from events and not by PyYAML's own composer because a Runefile is hostile input: nesting is bounded
before it can cost anything, anchors and aliases (by which a kilobyte becomes a gigabyte) are refused, and a
word such as `no` stays text, as in YAML 1.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import yaml

from runefile.diagnostics import Code, Diagnostics, quoted
from runefile.source import Source, Span

MAXIMUM_DEPTH = 12
MAXIMUM_NODES = 50_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAGS = (None, "!", "tag:yaml.org,2002:str")


@dataclass(frozen=True)
class ScalarNode:
    value: str
    span: Span
    plain: bool
    """Without quotes, so that it may be a number."""
    block: bool
    """Lines below a `|` or `>`."""

    @property
    def is_null(self) -> bool:
        return self.plain and self.value in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True)
class SequenceNode:
    items: tuple[YamlNode, ...]
    span: Span


@dataclass(frozen=True)
class MappingNode:
    pairs: tuple[tuple[ScalarNode, YamlNode], ...]
    span: Span


YamlNode: TypeAlias = ScalarNode | SequenceNode | MappingNode


def compose(source: Source, diagnostics: Diagnostics) -> tuple[YamlNode | None, list[ScalarNode]]:
    """The only document of a YAML text, None where it is empty, and all its scalars.

    Raises AbandonedError where it is no YAML, or more of it than a Runefile needs; that has been reported.
    """
    composer = _Composer(source, diagnostics)
    try:
        return composer.document(), composer.scalars
    except yaml.YAMLError as error:
        _report(error, source, diagnostics)


class _Composer:
    def __init__(self, source: Source, diagnostics: Diagnostics) -> None:
        self._diagnostics = diagnostics
        self._events: Iterator[yaml.Event] = yaml.parse(source.text, Loader=_LOADER)
        self.scalars: list[ScalarNode] = []
        self._nodes = 0

    def document(self) -> YamlNode | None:
        next(self._events)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        root = self._node(next(self._events), 0)
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._refuse("a Runefile is one YAML document", event, "remove the `---` and what follows")
        return root

    def _node(self, event: yaml.Event, depth: int) -> YamlNode:
        assert isinstance(event, yaml.NodeEvent)
        if event.anchor is not None:
            self._refuse("anchors and aliases are not supported", event, "write the value out in each place")
        tag = getattr(event, "tag", None)
        if tag not in _TEXT_TAGS:
            self._refuse(f"the tag {quoted(tag)} is not supported", event, "remove it")
        self._nodes += 1
        if self._nodes > MAXIMUM_NODES:
            hint = "put long lists into a file and name it as a resource"
            self._refuse(f"more than {MAXIMUM_NODES:,} values", event, hint, Code.LIMIT)
        if depth > MAXIMUM_DEPTH:
            self._refuse("nested too deeply", event, None, Code.LIMIT)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        return self._mapping(event, depth)

    def _scalar(self, event: yaml.ScalarEvent) -> ScalarNode:
        if any("\ud800" <= character <= "\udfff" for character in event.value):
            self._refuse("half of a surrogate pair is no character", event, None)
        plain = bool(event.implicit[0]) and event.tag is None
        node = ScalarNode(event.value, _span(event, event), plain, event.style in ("|", ">"))
        self.scalars.append(node)
        return node

    def _sequence(self, start: yaml.Event, depth: int) -> SequenceNode:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return SequenceNode(tuple(items), _span(start, event))

    def _mapping(self, start: yaml.Event, depth: int) -> MappingNode:
        pairs = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, ScalarNode):
                self._refuse("a key must be a word", event, None)
            pairs.append((key, self._node(next(self._events), depth + 1)))
        return MappingNode(tuple(pairs), _span(start, event))

    def _refuse(
        self, message: str, event: yaml.Event, hint: str | None, code: Code = Code.SYNTAX
    ) -> NoReturn:
        self._diagnostics.fatal(code, message, _span(event, event), hint)


def _span(first: yaml.Event, last: yaml.Event) -> Span:
    assert first.start_mark is not None
    assert first.end_mark is not None
    assert last.end_mark is not None
    return Span(first.start_mark.index, max(first.end_mark.index, last.end_mark.index))


def _report(error: yaml.YAMLError, source: Source, diagnostics: Diagnostics) -> NoReturn:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    offset = min(mark.index if mark else getattr(error, "position", 0), len(source.text))
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
    context = getattr(error, "context", None)
    message = f"not YAML: {problem}" + (f" {context}" if context else "")
    hint = "text that holds any of : # { } [ ] , & * ! | > ' \" % @ goes in double quotes"
    diagnostics.fatal(Code.SYNTAX, message, Span(offset, offset + 1), hint)
