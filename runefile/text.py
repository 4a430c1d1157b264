"""The text form of a Runefile, read.

The text is cut into statements (a line, and those it continues on with `\\`), and each is parsed on its own
by the grammar in `grammar.lark`; so one that is wrong does not hide what is wrong with the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import pairwise

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from container.manifest import StageKind
from runefile.diagnostics import Code, Diagnostics, did_you_mean, quoted
from runefile.scalars import NAME, Literal, ResourceName, Scalar, Value, read_text, read_word, unquote
from runefile.source import NOWHERE, Source, Span
from runefile.statements import Statement, split
from runefile.syntax import (
    Argument,
    Document,
    Input,
    Port,
    Resource,
    ResourceKind,
    Stage,
)
from runefile.types import INFERRED, declared_type, simplified

MAXIMUM_EDGES = 10_000
MAXIMUM_WORDS = 40_000
"""A list without spaces is one word."""
_STATEMENT_COST = 10
"""Words that take as long to read as a statement does besides its words."""

_FORMS = {
    "FROM": ("from_", "FROM IMAGE"),
    "CAPABILITY": ("capability", "CAPABILITY<TYPE> NAME KIND [--argument value]..."),
    "PROC_BLOCK": ("stage", "PROC_BLOCK<IN,OUT> NAME PATH [--argument value]..."),
    "MODEL": ("stage", "MODEL<IN,OUT> NAME FILE [--argument value]..."),
    "OUT": ("out", "OUT KIND [NAME] [--argument value]..."),
    "RESOURCE": ("resource", "RESOURCE<string|binary> NAME [FILE] [--inline TEXT]"),
    "RUN": ("run", "RUN STAGE STAGE..., or RUN (STAGE, STAGE) STAGE for several inputs"),
}
"""First word of a statement -> the grammar's rule for the rest, and how it is written."""

_TERMINALS = {
    "NAME": "a name",
    "SIZE": "a size",
    "FLAG": "an argument such as --name",
    "VALUE": "a value",
    "WORD": "a word",
    "STRING": "quoted text",
    "PICK": "a pick such as .0",
    "LESSTHAN": '"<"',
    "MORETHAN": '">"',
    "LPAR": '"("',
    "RPAR": '")"',
    "LSQB": '"["',
    "RSQB": '"]"',
    "COMMA": '","',
    "COLON": '":"',
    "_EQUALS": '"="',
    "$END": "the end of the line",
}

_FIRST_WORD = re.compile(r"\s*([A-Za-z_][A-Za-z_]*|\S+)")
_ITEM = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,"][^\s,"]*)""")


@cache
def _parser() -> Lark:
    grammar = files("runefile").joinpath("grammar.lark").read_text(encoding="utf-8")
    rules = sorted({rule for rule, _ in _FORMS.values()})
    return Lark(grammar, parser="lalr", lexer="contextual", start=rules, propagate_positions=True)


def read_text_form(source: Source, diagnostics: Diagnostics) -> Document:
    """The tree of a text Runefile; what is wrong goes to `diagnostics`, and the tree lacks it."""
    return _Reader(source, diagnostics).read()


class _Reader:
    def __init__(self, source: Source, diagnostics: Diagnostics) -> None:
        self._source = source
        self._diagnostics = diagnostics
        self._image: tuple[str, Statement] | None = None
        self._stages: list[Stage] = []
        self._by_name: dict[str, Stage] = {}
        self._inputs: dict[str, list[Input]] = {}
        self._edges = 0
        self._words = 0
        self._resources: list[Resource] = []
        self._runs: list[tuple[Statement, Tree[Token]]] = []
        self._broken: set[str] = set()
        """Words of statements that do not parse: names among them are not unknown."""

    def read(self) -> Document:
        splitter = split(self._source.text)
        for statement in splitter.statements:
            self._read_statement(statement)
        for statement, tree in self._runs:
            self._read_run(statement, tree)
        if self._image is None:
            hint = "begin the file with: FROM runicos/base"
            self._diagnostics.error(Code.MISSING_FIELD, "missing field `image` (FROM)", NOWHERE, hint)
        image, start = self._image or ("", Statement(0))
        stages = [replace(stage, inputs=tuple(self._inputs.pop(stage.name, ()))) for stage in self._stages]
        return Document(
            image,
            tuple(stages),
            tuple(self._resources),
            self._source,
            start.span,
            start.comments,
            tuple(splitter.pending),
        )

    def _read_statement(self, statement: Statement) -> None:
        first = _FIRST_WORD.match(statement.text)
        if first is None:
            return
        word = first[1].upper()
        span = Span(statement.start + first.start(1), statement.start + first.end(1))
        if word not in _FORMS:
            message = f"unknown instruction {quoted(first[1])}"
            self._diagnostics.error(Code.SYNTAX, message, span, did_you_mean(word, _FORMS))
            return
        tree = self._parse(statement, word, first.end())
        if tree is None:
            return
        readers: dict[str, Callable[[Statement, Tree[Token]], None]] = {
            "FROM": self._read_from,
            "CAPABILITY": self._read_capability,
            "PROC_BLOCK": self._read_proc_block,
            "MODEL": self._read_model,
            "OUT": self._read_out,
            "RESOURCE": self._read_resource,
            "RUN": lambda statement, tree: self._runs.append((statement, tree)),
        }
        readers[word](statement, tree)

    def _parse(self, statement: Statement, word: str, at: int) -> Tree[Token] | None:
        """Parse what follows the first word; positions in the tree count from the start of the file."""
        rule, form = _FORMS[word]
        self._words += _STATEMENT_COST + _word_count(word, statement.text)
        if self._words > MAXIMUM_WORDS:
            message = f"a Runefile has at most {MAXIMUM_WORDS:,} words"
            hint = "put long lists into a file and name it as a resource"
            self._diagnostics.fatal(Code.LIMIT, message, statement.span, hint)
        try:
            tree = _parser().parse(statement.text[at:], start=rule)
        except UnexpectedInput as error:
            self._report(error, statement, at, form)
            self._broken.update(NAME.findall(statement.text[at:]))
            return None
        for token in tree.scan_values(lambda value: isinstance(value, Token)):
            span = _span(token)
            token.start_pos, token.end_pos = (
                span.start + statement.start + at,
                span.end + statement.start + at,
            )
        return tree

    def _report(self, error: UnexpectedInput, statement: Statement, at: int, form: str) -> None:
        rest = statement.text[at:].rstrip()
        position = min(_position(error, len(rest)), len(rest))
        found = re.match(r"[\w-]+|.|$", rest[position:])
        assert found is not None
        expected = sorted({_TERMINALS.get(name, name) for name in _expected(error)})
        shown = quoted(found[0]) if found[0] else "nothing more"
        message = f"expected {' or '.join(expected)}, found {shown}"
        start = statement.start + at + position
        hint = f"write it as: {form}"
        if found[0] in ('"', "'", "\\"):
            hint = "text with spaces, commas, quotes or backslashes goes in quotes, which must be closed"
        self._diagnostics.error(Code.SYNTAX, message, Span(start, start + max(1, len(found[0]))), hint)

    # Statements

    def _read_from(self, statement: Statement, tree: Tree[Token]) -> None:
        if self._image is not None:
            message = "FROM stands in this file twice"
            self._diagnostics.error(Code.DUPLICATE_NAME, message, statement.span, "remove one of them")
            return
        self._image = (self._raw(_tokens(tree)[0]), statement)

    def _read_capability(self, statement: Statement, tree: Tree[Token]) -> None:
        name, kind = _tokens(tree)
        port = self._port(_subtrees(tree, "port")[0], allow_name=True)
        self._add_stage(
            statement, tree, name, StageKind.CAPABILITY, kind, str(kind).upper(), outputs=simplified([port])
        )

    def _read_proc_block(self, statement: Statement, tree: Tree[Token]) -> None:
        name, path = _tokens(tree)
        inputs, outputs = self._both_ports(tree)
        target = self._raw(path)
        self._add_stage(statement, tree, name, StageKind.PROC_BLOCK, path, target, inputs, outputs)

    def _read_model(self, statement: Statement, tree: Tree[Token]) -> None:
        name, file = _tokens(tree)
        inputs, outputs = self._both_ports(tree)
        target = read_text(self._raw(file))
        self._add_stage(statement, tree, name, StageKind.MODEL, file, target, inputs, outputs)

    def _read_out(self, statement: Statement, tree: Tree[Token]) -> None:
        kind, *given = _tokens(tree)
        name = given[0] if given else kind.update(value=kind.lower())
        self._add_stage(statement, tree, name, StageKind.OUT, kind, str(kind).upper())

    def _add_stage(
        self,
        statement: Statement,
        tree: Tree[Token],
        name: Token,
        kind: StageKind,
        target_token: Token,
        target: str | ResourceName,
        input_types: tuple[Port, ...] = (),
        outputs: tuple[Port, ...] = (),
    ) -> None:
        self._stages.append(
            Stage(
                str(name),
                kind,
                target,
                input_types=input_types,
                outputs=outputs,
                arguments=self._arguments(tree),
                span=statement.span,
                name_span=_span(name),
                target_span=_span(target_token),
                comments=statement.comments,
            )
        )
        self._by_name.setdefault(str(name), self._stages[-1])
        self._inputs.setdefault(str(name), [])

    def _read_resource(self, statement: Statement, tree: Tree[Token]) -> None:
        kind, name, *path = _tokens(tree)
        if kind.lower() not in set(ResourceKind):
            message = f"a resource holds string or binary, not {quoted(kind)}"
            self._diagnostics.error(Code.UNKNOWN_KIND, message, _span(kind))
            return
        self._resources.append(
            Resource(
                str(name),
                ResourceKind(kind.lower()),
                self._raw(path[0]) if path else None,
                self._inline(tree),
                statement.span,
                _span(name),
                _span(path[0]) if path else _span(name),
                statement.comments,
            )
        )

    def _inline(self, tree: Tree[Token]) -> str | None:
        inline = None
        for argument in _subtrees(tree, "argument"):
            flag, *values = _tokens(argument)
            items = list(_ITEM.finditer(values[0])) if values else []
            if flag.lstrip("-") != "inline" or inline is not None:
                message = f"a resource has no {'second ' * (inline is not None)}argument {quoted(flag)}"
                self._diagnostics.error(Code.UNKNOWN_ARGUMENT, message, _span(flag), "known: --inline TEXT")
            elif len(items) != 1 or values[0].endswith(","):
                message = "--inline takes one text; put it in quotes"
                self._diagnostics.error(Code.WRONG_ARGUMENT, message, _span(flag))
            else:
                inline = self._raw(values[0])
        return inline

    # Edges

    def _read_run(self, statement: Statement, tree: Tree[Token]) -> None:
        steps = [self._references(step) for step in _subtrees(tree, "step")]
        edges: list[Input] = []
        for sources, targets in pairwise(steps):
            edges += self._join(sources, targets)
        for reference in steps[-1]:
            if reference.pick is not None:
                message = f"{quoted(str(reference))} picks an output, but nothing follows to take it"
                self._diagnostics.error(Code.SYNTAX, message, reference.span)
        if edges:
            edges[0].comments.before.extend(statement.comments.before)
            edges[-1].comments.after = statement.comments.after

    def _references(self, step: Tree[Token]) -> list[Input]:
        return [self._reference(reference) for reference in _subtrees(step, "reference")]

    def _reference(self, tree: Tree[Token]) -> Input:
        name, *picks = _tokens(tree)
        span = Span(_span(name).start, _span(picks[-1] if picks else name).end)
        return Input(self._stage_name(str(name)), self._pick(picks[0]) if picks else None, span)

    def _pick(self, token: Token) -> int | str:
        written = self._unquoted(token[1:], _span(token)) if token[1] == '"' else token[1:]
        return read_pick(written)

    def _stage_name(self, name: str) -> str:
        """The stage a RUN means: by its name, or for an OUT without a name by its kind in any case."""
        if name not in self._by_name and name.lower() in self._by_name:
            stage = self._by_name[name.lower()]
            if stage.kind is StageKind.OUT and stage.name == str(stage.target).lower():
                return stage.name
        return name

    def _join(self, sources: list[Input], targets: list[Input]) -> Iterator[Input]:
        """The edges from each source to each target, in the order in which the targets take them."""
        for target in {reference.stage: reference for reference in targets}.values():
            if not self._takes_inputs(target):
                continue
            for source in sources:
                self._edges += 1
                if self._edges > MAXIMUM_EDGES:
                    message = f"more than {MAXIMUM_EDGES:,} connections"
                    self._diagnostics.fatal(Code.LIMIT, message, source.span)
                edge = Input(source.stage, source.pick, source.span)
                self._inputs[target.stage].append(edge)
                yield edge

    def _takes_inputs(self, target: Input) -> bool:
        known = self._by_name
        if target.stage in self._broken and target.stage not in known:
            return False
        if target.stage not in known:
            message = f"there is no stage {quoted(target.stage)} to run"
            self._diagnostics.error(
                Code.UNKNOWN_NAME, message, target.span, did_you_mean(target.stage, known)
            )
            return False
        if known[target.stage].kind is StageKind.CAPABILITY:
            message = f"{quoted(target.stage)} is a capability: it takes no input"
            hint = "RUN lines go from the capability to the output; start another RUN line for it"
            self._diagnostics.error(Code.SYNTAX, message, target.span, hint)
            return False
        return True

    # Parts

    def _both_ports(self, tree: Tree[Token]) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        inputs, outputs = (_subtrees(ports, "port") for ports in _subtrees(tree, "ports"))
        return (
            simplified([self._port(port, allow_name=False) for port in inputs]),
            simplified([self._port(port, allow_name=True) for port in outputs]),
        )

    def _port(self, tree: Tree[Token], *, allow_name: bool) -> Port:
        *names, element = _tokens(tree)
        shapes = _subtrees(tree, "shape")
        sizes = [int(size) if len(size) < 12 else 1 << 40 for size in _tokens(shapes[0])] if shapes else [1]
        length = tree.meta.end_pos - tree.meta.start_pos
        span = Span(_span(element).start, _span((names or [element])[0]).start + length)
        if names and not allow_name:
            message = "only outputs have names; inputs are told apart by their order"
            self._diagnostics.error(Code.SYNTAX, message, _span(names[0]))
        if element == INFERRED and not shapes:
            return Port(None, str(names[0]) if names else None, span)
        declared = declared_type(str(element), sizes, span, self._diagnostics)
        return Port(declared, str(names[0]) if names else None, span)

    def _arguments(self, tree: Tree[Token]) -> tuple[Argument, ...]:
        return tuple(self._argument(argument) for argument in _subtrees(tree, "argument"))

    def _argument(self, tree: Tree[Token]) -> Argument:
        flag, *values = _tokens(tree)
        value: Value = self._value(values[0]) if values else Literal("true")
        value_span = _span(values[0] if values else flag)
        return Argument(flag.lstrip("-"), value, Span(_span(flag).start, value_span.end), value_span)

    def _value(self, token: Token) -> Value:
        start = _span(token).start
        items = [
            self._scalar(match[1], Span(start + match.start(), start + match.end()))
            for match in _ITEM.finditer(token)
        ]
        return items[0] if len(items) == 1 and not token.endswith(",") else tuple(items)

    def _scalar(self, written: str, span: Span) -> Scalar:
        if written[0] in "\"'":
            return read_text(self._unquoted(written, span))
        return read_word(written)

    def _raw(self, token: Token) -> str:
        """The text of a token, whatever it looks like."""
        return self._unquoted(token, _span(token)) if token[0] in "\"'" else str(token)

    def _unquoted(self, written: str, span: Span) -> str:
        try:
            return unquote(written)
        except ValueError as error:
            hint = r"escapes are \n \t \r \" \\ \uXXXX \UXXXXXXXX"
            self._diagnostics.error(Code.SYNTAX, str(error), span, hint)
            return ""


def _word_count(instruction: str, text: str) -> int:
    """About as many words as the grammar sees: each takes it some microseconds."""
    types = text if instruction == "RUN" else text.partition(">")[0]
    return len(text.split()) + sum(map(types.count, ",()[]:"))


def read_pick(written: str) -> int | str:
    """What stands behind the dot of `stage.0` or `stage.name`."""
    return int(written) if re.fullmatch(r"[0-9]{1,6}", written) else written


def _tokens(tree: Tree[Token]) -> list[Token]:
    return [child for child in tree.children if isinstance(child, Token)]


def _subtrees(tree: Tree[Token], rule: str) -> list[Tree[Token]]:
    return [child for child in tree.children if isinstance(child, Tree) and child.data == rule]


def _span(token: Token) -> Span:
    assert token.start_pos is not None
    assert token.end_pos is not None
    return Span(token.start_pos, token.end_pos)


def _position(error: UnexpectedInput, end: int) -> int:
    """Where the parser stopped; -1 stands for the end."""
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return end
    return error.pos_in_stream if error.pos_in_stream is not None else end


def _expected(error: UnexpectedInput) -> set[str]:
    if isinstance(error, UnexpectedCharacters):
        return set(error.allowed or ())
    return set(error.expected) if isinstance(error, UnexpectedToken) else set()
