"""The syntax tree of a Runefile: what both forms say, before anything is looked up or checked.

Two trees are equal when they mean the same: places and comments are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from container.manifest import StageKind
from container.tensors import ElementType
from runefile.scalars import ResourceName, Value
from runefile.source import NOWHERE, Source, Span


@dataclass
class Comments:
    """The comments that belong to a part of the tree, each with its `#`."""

    before: list[str] = field(default_factory=list)
    """Whole lines above it; an empty text stands for a blank line."""
    after: str | None = None
    """At the end of its line."""

    def add_after(self, comment: str) -> None:
        """Put a comment at the end of the line, or above where that place is taken."""
        if self.after is None:
            self.after = comment
        else:
            self.before.append(comment)

    def all(self) -> list[str]:
        return [*self.before, *([] if self.after is None else [self.after])]


def _comments() -> Comments:
    return field(default_factory=Comments, compare=False, repr=False)


def _span() -> Span:
    return field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class DeclaredType:
    """An element type and a shape, such as `F32[1,4]`.

    `element` is None where the file names one that does not exist, which has been reported.
    """

    element: ElementType | None
    shape: tuple[int, ...] = (1,)
    span: Span = _span()


@dataclass(frozen=True)
class Port:
    """What a stage says of one of its inputs or outputs; a type of None is left to be inferred."""

    type: DeclaredType | None = None
    name: str | None = None
    """Outputs only: a name to pick it by."""
    span: Span = _span()
    comments: Comments = _comments()


@dataclass(frozen=True)
class Input:
    """An edge: the stage whose output flows in, and which of its outputs, by number or by name."""

    stage: str
    pick: int | str | None = None
    span: Span = _span()
    comments: Comments = _comments()

    def __str__(self) -> str:
        return self.stage if self.pick is None else f"{self.stage}.{self.pick}"


@dataclass(frozen=True)
class Argument:
    """`--name value`."""

    name: str
    value: Value
    span: Span = _span()
    value_span: Span = _span()
    comments: Comments = _comments()


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    `target` is the kind of a capability or an output, in capitals; the path of a proc block as written; the
    file or resource of a model.  `input_types` and `outputs` are empty where nothing is said of them.
    """

    name: str
    kind: StageKind
    target: str | ResourceName
    inputs: tuple[Input, ...] = ()
    input_types: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    arguments: tuple[Argument, ...] = ()
    span: Span = _span()
    name_span: Span = _span()
    target_span: Span = _span()
    comments: Comments = _comments()


class ResourceKind(StrEnum):
    """What a resource holds: text, or bytes, which are base64 (RFC 4648) when they stand inline."""

    STRING = "string"
    BINARY = "binary"


@dataclass(frozen=True)
class Resource:
    """Text or bytes with a name, from a file or inline."""

    name: str
    kind: ResourceKind = ResourceKind.STRING
    path: str | None = None
    inline: str | None = None
    span: Span = _span()
    name_span: Span = _span()
    path_span: Span = _span()
    comments: Comments = _comments()


@dataclass(frozen=True)
class Document:
    """A whole Runefile."""

    image: str
    stages: tuple[Stage, ...] = ()
    resources: tuple[Resource, ...] = ()
    source: Source = field(default=Source("Runefile", ""), compare=False, repr=False)
    span: Span = _span()
    comments: Comments = _comments()
    """Those of the image."""
    closing: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """The comments after everything else."""


Node: TypeAlias = Document | Stage | Port | Input | Argument | Resource


def nodes(document: Document) -> Iterator[Node]:
    """Every part of the tree that comments can belong to."""
    yield document
    for stage in document.stages:
        yield stage
        yield from stage_parts(stage)
    yield from document.resources


def stage_parts(stage: Stage) -> Iterator[Port | Input | Argument]:
    yield from stage.inputs
    yield from stage.input_types
    yield from stage.outputs
    yield from stage.arguments


def all_comments(document: Document) -> list[str]:
    """Every comment of a document."""
    found = [comment for node in nodes(document) for comment in node.comments.all()]
    return [comment for comment in [*found, *document.closing] if comment]
