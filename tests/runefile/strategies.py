"""Random syntax trees, with the strings that are hardest to write down and read again."""

from __future__ import annotations

from hypothesis import strategies as st

from container.manifest import StageKind
from container.tensors import ElementType
from runefile.scalars import Literal, ResourceName, Scalar
from runefile.syntax import (
    Argument,
    DeclaredType,
    Document,
    Input,
    Port,
    Resource,
    ResourceKind,
    Stage,
)
from runefile.types import simplified

HARD_TEXTS = [
    "", " ", "a b", "a,b", ",", "#", "a #b", "#a", "a#b", '"', "'", "it's", "'quoted'",
    '"quoted"', "\\", "a\\", "\\n", "a\nb", "a\nb\n", "a\n", "\n", "\n\n", " a\nb", "a\n\nb\n",
    "a \nb\n", "a\r\nb", "\t", "a\tb", "\0", "\x1b", "$", "$A", "$$", "$$A", "$5", "$A b",
    "--flag", "-x", "-", "---", "- a", "5", "-5", "1.5", ".5", "1e3", "0x10", "007", ".inf",
    ".nan", "1_000", "2020-01-01", "12:30", "true", "True", "no", "null", "~", "yes", "y", "n",
    "on", "a: b", "a:", ":", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "[a]", "{a}", "[", "{",
    "?", "? a", "<<", "=", "=a", "a=b", "(", ")", "<a>", "_", "é", "日本", "😀", "\u2028", "\x85",
    "\ufeff", "\u200b", "...", "..", ".", "./a", "../a b", "a/b#c@d", "FROM", "RUN", "a\\\nb",
    "   ", "a # b", "a,", ",a", "\U0001f469\u200d", "\x7f",
]  # fmt: skip

_NAMES = [
    "a",
    "b",
    "n",
    "y",
    "no",
    "on",
    "x-y",
    "x_y",
    "_",
    "A",
    "serial",
    "true",
    "null",
    "RUN",
    "f32",
    "a-",
    "Z9",
]
names = st.sampled_from(_NAMES)
characters = st.characters(exclude_categories=["Cs"])
texts = st.sampled_from(HARD_TEXTS) | st.text(characters, max_size=12)
literals = (
    st.integers(-(10**20), 10**20).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.sampled_from(["true", "false", "True", "360.0", "1.", "+5", "-.5", "0x1F", "0o17", "1e999", "007"])
).map(Literal)
resource_names = names.map(ResourceName)
scalars: st.SearchStrategy[Scalar] = texts | literals | resource_names
values = scalars | st.lists(scalars, max_size=4).map(tuple)
types = st.builds(
    DeclaredType, st.sampled_from(ElementType), st.lists(st.integers(1, 30), max_size=4).map(tuple)
)
_ODD_PICKS = [
    "StatefulPartitionedCall:0",
    "a/b",
    "a b",
    'a"b',
    "a.b",
    "a\nb",
    "(a)",
    "a,b",
    "#",
    "$A",
    "é",
    "\\",
    "0x1",
]
picks = st.none() | st.integers(0, 12) | names | st.sampled_from(_ODD_PICKS)


def _ports(named: bool, maximum: int = 3) -> st.SearchStrategy[tuple[Port, ...]]:
    port = st.builds(Port, st.none() | types, st.none() | names if named else st.none())
    return st.lists(port, max_size=maximum).map(simplified)


arguments = st.lists(st.builds(Argument, names, values), max_size=4).map(tuple)


@st.composite
def _stage(draw: st.DrawFn, name: str, stage_names: list[str]) -> Stage:
    kind = draw(st.sampled_from(StageKind))
    kind_name = names.map(str.upper)
    target: str | ResourceName
    if kind is StageKind.PROC_BLOCK:
        target = draw(texts)
    elif kind is StageKind.MODEL:
        target = draw(texts | resource_names)
    else:
        target = draw(kind_name)
    inputs = st.lists(st.builds(Input, st.sampled_from(stage_names) | names, picks), max_size=3).map(tuple)
    computing = kind in (StageKind.PROC_BLOCK, StageKind.MODEL)
    outputs = _ports(named=True, maximum=1 if kind is StageKind.CAPABILITY else 3)
    return Stage(
        name,
        kind,
        target,
        () if kind is StageKind.CAPABILITY else draw(inputs),
        draw(_ports(named=False)) if computing else (),
        () if kind is StageKind.OUT else draw(outputs),
        draw(arguments),
    )


resources = st.builds(Resource, names, st.sampled_from(ResourceKind), st.none() | texts, st.none() | texts)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Whole documents; inputs may name stages that do not exist, or form cycles."""
    stage_names = draw(st.lists(names, unique=True, max_size=4))
    stages = [draw(_stage(name, stage_names or ["a"])) for name in stage_names]
    return Document(draw(texts), tuple(stages), draw(st.lists(resources, max_size=2).map(tuple)))
