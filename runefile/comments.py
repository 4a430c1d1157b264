"""The comments of a YAML Runefile, which YAML parsers throw away, each given to a part of the tree."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from runefile.source import Source, Span
from runefile.syntax import Document, Node, Resource, Stage, nodes
from runefile.yaml_nodes import ScalarNode

_COMMENT_OR_BLANK = re.compile(r"(?:^|(?<=[ \t]))(?P<comment>#[^\r\n]*)|^[ \t]*(?=\r?$)", re.MULTILINE)


@dataclass(frozen=True)
class _Comment:
    text: str
    """With its `#`; empty for a blank line."""
    offset: int
    own_line: bool


def attach_comments(document: Document, source: Source, scalars: Sequence[ScalarNode]) -> Document:
    """The document with every comment of its YAML at the nearest part.

    A comment at the end of a line belongs to the part that begins last before it, one on a line of its own to
    the part that follows, else to the end of the document.
    """
    parts = sorted(nodes(document), key=lambda node: node.span.start)
    starts = [part.span.start for part in parts]
    closing: list[str] = []
    for comment in _comments(source, scalars):
        after = bisect_right(starts, comment.offset)
        if not comment.own_line and after > 0:
            parts[after - 1].comments.add_after(comment.text)
        elif after == len(parts):
            closing.append(comment.text)
        elif comment.text or _keeps_blank_lines(parts[after]):
            parts[after].comments.before.append(comment.text)
    return replace(document, closing=tuple(closing))


def _keeps_blank_lines(part: Node) -> bool:
    return isinstance(part, Document | Stage | Resource)


def _comments(source: Source, scalars: Sequence[ScalarNode]) -> Iterator[_Comment]:
    spans = [_content(scalar, source) for scalar in scalars if scalar.span.end > scalar.span.start]
    ends = [span.end for span in spans]
    for match in _COMMENT_OR_BLANK.finditer(source.text):
        offset = match.start("comment") if match["comment"] else match.start()
        nearest = bisect_left(ends, offset + 1)
        if nearest < len(spans) and spans[nearest].start <= offset:
            continue
        line_start = max(source.text.rfind("\n", 0, offset), source.text.rfind("\r", 0, offset)) + 1
        own_line = not source.text[line_start:offset].strip()
        yield _Comment((match["comment"] or "").rstrip(), offset, own_line)


def _content(scalar: ScalarNode, source: Source) -> Span:
    """Where a scalar's text stands: below the first line of a block, whose header may end with a comment."""
    if not scalar.block:
        return scalar.span
    header_end = source.text.find("\n", scalar.span.start, scalar.span.end)
    return Span(scalar.span.end if header_end < 0 else header_end + 1, scalar.span.end)
