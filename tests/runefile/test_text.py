"""The text form, construct by construct."""

from __future__ import annotations

import pytest

import runefile
from container.manifest import StageKind
from container.tensors import ElementType
from runefile import Form
from runefile.diagnostics import Code, Diagnostic
from runefile.scalars import Literal, ResourceName, Value
from runefile.syntax import DeclaredType, Document, Input, Port, Resource, ResourceKind, Stage


def read(text: str) -> Document:
    result = runefile.parse(text, form=Form.TEXT)
    assert result.document is not None, result.diagnostics
    assert result.diagnostics == ()
    return result.document


def stage(statement: str) -> Stage:
    return read(f"FROM a\n{statement}\n").stages[0]


def argument(written: str) -> Value:
    [found] = stage(f"CAPABILITY<_> a RAW {written}").arguments
    return found.value


def errors(text: str) -> list[Diagnostic]:
    return list(runefile.parse(text, form=Form.TEXT).diagnostics)


def pointed(text: str) -> list[tuple[Code, str]]:
    """The codes of what is wrong with a text, and what the carets stand below."""
    return [(error.code, text[error.span.start : error.span.end]) for error in errors(text)]


@pytest.mark.parametrize(
    ("written", "element", "shape"),
    [
        ("F32", ElementType.F32, (1,)),
        ("f32[1,49,10,1]", ElementType.F32, (1, 49, 10, 1)),
        ("Utf8[ 2 , 3 ]", ElementType.UTF8, (2, 3)),
        ("i64[]", ElementType.I64, ()),
    ],
)
def test_types(written: str, element: ElementType, shape: tuple[int, ...]) -> None:
    assert stage(f"CAPABILITY<{written}> a RAW").outputs == (Port(DeclaredType(element, shape)),)


def test_an_inferred_type_says_nothing() -> None:
    found = stage("MODEL<_,_> m ./m.tflite")
    assert (found.input_types, found.outputs) == ((), ())


def test_several_inputs_and_named_outputs() -> None:
    found = stage("MODEL<(F32,_),(scores:F32[4], boxes:_)> ssd ./ssd.tflite")
    assert found.input_types == (Port(DeclaredType(ElementType.F32)), Port())
    assert found.outputs == (Port(DeclaredType(ElementType.F32, (4,)), "scores"), Port(None, "boxes"))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("--x 5", Literal("5")),
        ("--x=5", Literal("5")),
        ("-x 5", Literal("5")),
        ("--x -5.5e3", Literal("-5.5e3")),
        ("--x", Literal("true")),
        ("--x false", Literal("false")),
        ('--x "5"', "5"),
        ("--x '5'", "5"),
        ("--x five", "five"),
        ("--x=a=b", "a=b"),
        ("--x @PixelFormat::GrayScale", "@PixelFormat::GrayScale"),
        ("--x lady's", "lady's"),
        (r'--x "a\tb\n\"\\\u00e9\U0001F600"', 'a\tb\n"\\é😀'),
        ("--x $LABELS", ResourceName("LABELS")),
        ('--x "$LABELS"', ResourceName("LABELS")),
        ("--x $$LABELS", "$LABELS"),
        ("--x $5", "$5"),
        ("--x=a,b", ("a", "b")),
        ("--x a, 'b c' ,3", ("a", "b c", Literal("3"))),
        ("--x=a,-b,--c", ("a", "-b", "--c")),
        ("--x=a,", ("a",)),
        ("--x=,", ()),
        ('--x=""', ""),
    ],
)
def test_arguments(written: str, value: Value) -> None:
    assert argument(written) == value


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5", 5),
        ("0x1F", 31),
        ("0o17", 15),
        ("007", 7),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("TRUE", True),
        ("-.inf", float("-inf")),
    ],
)
def test_values_of_literals(written: str, value: float) -> None:
    assert Literal(written).value == value
    assert type(Literal(written).value) is type(value)


def test_lists_do_not_swallow_the_next_argument() -> None:
    found = stage("CAPABILITY<_> a RAW --x=a, --y 2 -z")
    assert [(item.name, item.value) for item in found.arguments] == [
        ("x", ("a",)),
        ("y", Literal("2")),
        ("z", Literal("true")),
    ]


def test_statements_continue_and_words_are_in_any_case() -> None:
    found = read(
        "from a\ncapability<f32> \\\n  rand \\\n  rand \\\n  --n 4\r\nout SERIAL\r\nrun rand Serial\n"
    )
    assert [(item.name, item.target) for item in found.stages] == [("rand", "RAND"), ("serial", "SERIAL")]
    assert found.stages[1].inputs == (Input("rand"),)


def test_outputs_of_one_kind_have_names_of_their_own() -> None:
    found = read("FROM a\nOUT serial\nOUT serial debug\nOUT tensor raw --file x.bin\n").stages
    assert [(item.name, item.kind, item.target) for item in found] == [
        ("serial", StageKind.OUT, "SERIAL"),
        ("debug", StageKind.OUT, "SERIAL"),
        ("raw", StageKind.OUT, "TENSOR"),
    ]


_FOUR = "FROM a\nCAPABILITY<_> a RAW\nPROC_BLOCK<_,_> b x\nPROC_BLOCK<_,_> c x\nOUT serial\n"


@pytest.mark.parametrize(
    ("runs", "inputs"),
    [
        ("RUN a b c serial", {"b": "a", "c": "b", "serial": "c"}),
        ("RUN a b\nRUN b serial\nRUN a serial", {"b": "a", "serial": "b a"}),
        ("RUN (a, b.1) c.0 serial", {"c": "a b.1", "serial": "c.0"}),
        ("RUN a (b, c) serial", {"b": "a", "c": "a", "serial": "b c"}),
        ('RUN b.scores c\nRUN b."odd name" c', {"c": "b.scores b.odd name"}),
        ("RUN (a, a) b", {"b": "a a"}),
        ("RUN a (b.0, b.1) c", {"b": "a", "c": "b.0 b.1"}),
        ("RUN nobody b", {"b": "nobody"}),
    ],
)
def test_runs_add_edges(runs: str, inputs: dict[str, str]) -> None:
    found = {item.name: " ".join(map(str, item.inputs)) for item in read(_FOUR + runs).stages}
    assert {name: edges for name, edges in found.items() if edges} == inputs


def test_resources() -> None:
    text = 'FROM a\nRESOURCE<string> L ./l.txt\nRESOURCE<binary> M --inline "AA=="\nRESOURCE<binary> N\n'
    assert read(text).resources == (
        Resource("L", ResourceKind.STRING, "./l.txt"),
        Resource("M", ResourceKind.BINARY, None, "AA=="),
        Resource("N", ResourceKind.BINARY),
    )


@pytest.mark.parametrize(
    ("statement", "code", "place"),
    [
        ("MODLE<_,_> a b", Code.SYNTAX, "MODLE"),
        ("MODEL<F32> a b", Code.SYNTAX, ">"),
        ("MODEL<_,_> a b c", Code.SYNTAX, "c"),
        ("CAPABILITY<F33> a RAW", Code.UNKNOWN_TYPE, "F33"),
        ("CAPABILITY<F32[1,x]> a RAW", Code.SYNTAX, "x"),
        ("CAPABILITY<F32[0]> a RAW", Code.WRONG_ARGUMENT, "F32[0]"),
        ("CAPABILITY<F32[99999,99999]> a RAW", Code.LIMIT, "F32[99999,99999]"),
        ("CAPABILITY<_> 1a RAW", Code.SYNTAX, "1a"),
        ("CAPABILITY<_> a RAW --x=a,,b", Code.SYNTAX, ","),
        ('CAPABILITY<_> a RAW --x "a', Code.SYNTAX, '"'),
        (r'CAPABILITY<_> a RAW --x "\q"', Code.SYNTAX, r'"\q"'),
        (r'CAPABILITY<_> a RAW --x "\ud800"', Code.SYNTAX, r'"\ud800"'),
        ("MODEL<(x:F32,_),_> a b", Code.SYNTAX, "x"),
        ("RUN b", Code.SYNTAX, "\n"),
        ("RUN b nobody", Code.UNKNOWN_NAME, "nobody"),
        ("RUN b in", Code.SYNTAX, "in"),
        ("RUN in b.1", Code.SYNTAX, "b.1"),
        ("FROM b", Code.DUPLICATE_NAME, "FROM b"),
        ("RESOURCE<text> A ./a", Code.UNKNOWN_KIND, "text"),
        ("RESOURCE<string> A --path ./a", Code.UNKNOWN_ARGUMENT, "--path"),
        ("RESOURCE<string> A --inline a,b", Code.WRONG_ARGUMENT, "--inline"),
    ],
)
def test_errors_point_at_their_place(statement: str, code: Code, place: str) -> None:
    text = f"FROM a\nCAPABILITY<_> in RAW\nOUT serial b\n{statement}\n"
    assert pointed(text) == [(code, place)]


def test_every_wrong_statement_is_reported() -> None:
    text = "FROM a\nMODEL<\nOUT serial\nMODLE x\nCAPABILITY<str> a RAW\nRUN a b serial\n"
    assert pointed(text) == [
        (Code.SYNTAX, "\n"),
        (Code.SYNTAX, "MODLE"),
        (Code.UNKNOWN_TYPE, "str"),
        (Code.UNKNOWN_NAME, "b"),
    ]


def test_a_stage_that_does_not_parse_is_not_also_unknown() -> None:
    text = "FROM a\nCAPABILITY<_> in RAW\nMODEL<_> m ./m.tflite\nOUT serial\nRUN in m serial\n"
    assert pointed(text) == [(Code.SYNTAX, ">")]


def test_a_file_without_from_is_refused() -> None:
    [error] = errors("OUT serial\n")
    assert error.code is Code.MISSING_FIELD
    assert "missing field `image`" in error.message
