"""The text form of a Runefile, written: one statement a line, in the one canonical way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from container.manifest import StageKind
from runefile.scalars import Literal, ResourceName, Scalar, Value, is_literal, quote, written_text
from runefile.syntax import Argument, Comments, Document, Input, Port, Resource, Stage, stage_parts
from runefile.types import INFERRED, show_declared

_BARE = re.compile(r"[\w./$@][\w./$@:#+'=-]*")
"""Words that need no quotes: fewer than what the grammar reads without."""
_BARE_PICK = re.compile(r"[\w][\w./:;-]*", re.ASCII)
_KEYWORDS = {
    StageKind.CAPABILITY: "CAPABILITY",
    StageKind.PROC_BLOCK: "PROC_BLOCK",
    StageKind.MODEL: "MODEL",
    StageKind.OUT: "OUT",
}


def print_text(document: Document) -> str:
    """Canonical text.  Raises nothing; the document must have been read without errors."""
    lines = _with_comments(f"FROM {_word(document.image)}", document.comments)
    for resource in document.resources:
        lines += _with_comments(_resource(resource), resource.comments)
    for stage in document.stages:
        lines += _inner_comments(stage)
        lines += _with_comments(_stage(stage), stage.comments)
    for chain in _chains(document.stages):
        lines += _run(chain)
    return join_lines([*lines, *document.closing])


def join_lines(lines: Iterable[str]) -> str:
    """Lines to text: no blank line at either end, and never two together."""
    joined: list[str] = []
    for line in lines:
        if line or (joined and joined[-1]):
            joined.append(line)
    while joined and not joined[-1]:
        joined.pop()
    return "".join(f"{line}\n" for line in joined)


def _with_comments(statement: str, comments: Comments) -> list[str]:
    after = "" if comments.after is None else f" {comments.after}"
    return [*comments.before, statement + after]


def _inner_comments(stage: Stage) -> list[str]:
    """Comments that YAML has inside a stage, where text has one line only."""
    parts = [part for part in stage_parts(stage) if not isinstance(part, Input)]
    return [comment for part in parts for comment in part.comments.all() if comment]


# Statements


def _resource(resource: Resource) -> str:
    words = [f"RESOURCE<{resource.kind}>", resource.name]
    if resource.path is not None:
        words.append(_word(resource.path))
    if resource.inline is not None:
        words += ["--inline", _word(resource.inline)]
    return " ".join(words)


def _stage(stage: Stage) -> str:
    words = [_KEYWORDS[stage.kind] + _types(stage), *_name_and_target(stage)]
    return " ".join([*words, *map(_argument, stage.arguments)])


def _types(stage: Stage) -> str:
    if stage.kind is StageKind.OUT:
        return ""
    if stage.kind is StageKind.CAPABILITY:
        return f"<{_ports(stage.outputs)}>"
    return f"<{_ports(stage.input_types)},{_ports(stage.outputs)}>"


def _name_and_target(stage: Stage) -> list[str]:
    if stage.kind is StageKind.OUT:
        kind = str(stage.target).lower()
        return [kind] if stage.name == kind else [kind, stage.name]
    if stage.kind is StageKind.CAPABILITY:
        return [stage.name, str(stage.target)]
    if stage.kind is StageKind.MODEL:
        return [stage.name, _word(written_text(stage.target))]
    return [stage.name, _word(str(stage.target))]


def _ports(ports: Sequence[Port]) -> str:
    if not ports:
        return INFERRED
    written = ",".join(map(_port, ports))
    return written if len(ports) == 1 else f"({written})"


def _port(port: Port) -> str:
    written = INFERRED if port.type is None else show_declared(port.type)
    return written if port.name is None else f"{port.name}:{written}"


def _argument(argument: Argument) -> str:
    flag = f"{'-' if len(argument.name) == 1 else '--'}{argument.name}"
    # A list follows `=`, as users write `--labels=a,b`; one value stands apart: `--count 1`.
    joint = "=" if isinstance(argument.value, tuple) else " "
    return f"{flag}{joint}{_value(argument.value)}"


def _value(value: Value) -> str:
    if not isinstance(value, tuple):
        return _scalar(value)
    return ",".join(map(_scalar, value)) + ("," if len(value) < 2 else "")


def _scalar(value: Scalar) -> str:
    if isinstance(value, Literal):
        return value.written
    if isinstance(value, ResourceName):
        return str(value)
    return quote(written_text(value)) if is_literal(value) else _word(written_text(value))


def _word(text: str) -> str:
    return text if _BARE.fullmatch(text) else quote(text)


# Edges


def _chains(stages: Sequence[Stage]) -> list[list[tuple[Input, ...] | Stage]]:
    """The edges as few RUN lines: each begins with sources and goes on through stages."""
    waiting = {id(stage): stage for stage in stages if stage.inputs}
    followers: dict[str, list[Stage]] = {}
    for stage in stages:
        if len(stage.inputs) == 1:
            followers.setdefault(stage.inputs[0].stage, []).append(stage)
    names_waiting = {stage.name for stage in waiting.values()}
    chains: list[list[tuple[Input, ...] | Stage]] = []
    heads = [stage for stage in waiting.values() if not _continues(stage, names_waiting)]
    for head in [*heads, *waiting.values()]:
        if id(head) not in waiting:
            continue
        chain: list[tuple[Input, ...] | Stage] = [head.inputs]
        tail: Stage | None = head
        while tail is not None:
            chain.append(waiting.pop(id(tail)))
            tail = next((stage for stage in followers.get(tail.name, ()) if id(stage) in waiting), None)
        chains.append(chain)
    return chains


def _continues(stage: Stage, names: set[str]) -> bool:
    """Whether its only input comes from a stage that has inputs, so that one chain can hold both."""
    return len(stage.inputs) == 1 and stage.inputs[0].stage in names


def _run(chain: list[tuple[Input, ...] | Stage]) -> list[str]:
    first, *targets = chain
    assert isinstance(first, tuple)
    words = ["RUN", _group(first)]
    comments = Comments()
    stages = [target for target in targets if isinstance(target, Stage)]
    for stage, follower in zip(stages, [*stages[1:], None], strict=True):
        words.append(stage.name if follower is None else _reference(follower.inputs[0]))
        for edge in stage.inputs:
            comments.before += edge.comments.before
            if edge.comments.after is not None and edge is stages[-1].inputs[-1]:
                comments.after = edge.comments.after
            elif edge.comments.after is not None:
                comments.before.append(edge.comments.after)
    return _with_comments(" ".join(words), comments)


def _group(inputs: Sequence[Input]) -> str:
    written = ", ".join(map(_reference, inputs))
    return written if len(inputs) == 1 else f"({written})"


def _reference(edge: Input) -> str:
    if edge.pick is None:
        return edge.stage
    pick = str(edge.pick)
    return f"{edge.stage}.{pick if _BARE_PICK.fullmatch(pick) else quote(pick)}"
