"""The YAML form: what each key says, and where each error is."""

from __future__ import annotations

import pytest

import runefile
from container.manifest import StageKind
from container.tensors import ElementType
from runefile import Form
from runefile.diagnostics import Code
from runefile.scalars import Literal, ResourceName, Value
from runefile.syntax import Argument, DeclaredType, Document, Input, Port, Resource, ResourceKind, Stage

_TOP = "version: 1\nimage: a\n"


def read(text: str) -> Document:
    result = runefile.parse(text, form=Form.YAML)
    assert result.document is not None, result.diagnostics
    assert result.diagnostics == ()
    return result.document


def pointed(text: str) -> list[tuple[Code, str]]:
    """The codes of what is wrong with a text, and what the carets stand below."""
    found = runefile.parse(text, form=Form.YAML).diagnostics
    return [(error.code, text[error.span.start : error.span.end]) for error in found]


def argument(written: str) -> Value:
    text = f"{_TOP}pipeline:\n  a:\n    capability: RAW\n    args:\n      x: {written}\n"
    return read(text).stages[0].arguments[0].value


def test_every_key() -> None:
    text = """\
version: 1
image: a
pipeline:
  ssd:
    model: $SSD
    inputs: [image, other.1, third.scores, "fourth.odd name"]
    input-types:
      - {type: u8, dimensions: [1, 8]}
      - type: _
      - type: F32
      - type: _
    outputs:
      - name: scores
        type: F32
        dimensions: [1, 4]
    args:
      format: onnx
resources:
  SSD:
    type: binary
    path: ./ssd.onnx
  WORDS:
    inline: a b
"""
    assert read(text) == Document(
        "a",
        (
            Stage(
                "ssd",
                StageKind.MODEL,
                ResourceName("SSD"),
                (Input("image"), Input("other", 1), Input("third", "scores"), Input("fourth", "odd name")),
                (
                    Port(DeclaredType(ElementType.U8, (1, 8))),
                    Port(),
                    Port(DeclaredType(ElementType.F32, (1,))),
                    Port(),
                ),
                (Port(DeclaredType(ElementType.F32, (1, 4)), "scores"),),
                (Argument("format", "onnx"),),
            ),
        ),
        (
            Resource("SSD", ResourceKind.BINARY, "./ssd.onnx"),
            Resource("WORDS", ResourceKind.STRING, None, "a b"),
        ),
    )


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("360.0", Literal("360.0")),
        ('"360"', "360"),
        ("!!str 360", "360"),
        ("no", "no"),
        ("true", Literal("true")),
        ("2020-01-01", "2020-01-01"),
        ("1_000", "1_000"),
        ("$LABELS", ResourceName("LABELS")),
        ('"$LABELS"', ResourceName("LABELS")),
        ("$$LABELS", "$LABELS"),
        ('"@PixelFormat::GrayScale"', "@PixelFormat::GrayScale"),
        ("[a, 1, no]", ("a", Literal("1"), "no")),
        ("[]", ()),
        ("|\n        a\n        b\n", "a\nb\n"),
        ("|- # words\n        a\n        b\n", "a\nb"),
    ],
)
def test_arguments(written: str, value: Value) -> None:
    assert argument(written) == value


def test_both_forms_give_one_tree() -> None:
    text = (
        "FROM a\nCAPABILITY<F32[1,1]> rand RAND -n 1\nPROC_BLOCK<F32,(F32,x:_)> p ./p --y=a,b\n"
        "OUT serial\nOUT serial debug\nRUN rand p\nRUN (p.x, rand) debug\nRUN p.0 serial\n"
    )
    yaml = """\
version: 1
image: a
pipeline:
  rand:
    capability: rand
    outputs: [{type: f32, dimensions: [1, 1]}]
    args: {n: 1}
  p:
    proc-block: ./p
    inputs: [rand]
    input-types: [{type: F32}]
    outputs: [{type: F32}, {name: x, type: _}]
    args: {y: [a, b]}
  serial:
    out: serial
    inputs: [p.0]
  debug:
    out: serial
    inputs: [p.x, rand]
"""
    assert runefile.parse(text).document == read(yaml)


_STAGE = f"{_TOP}pipeline:\n  a:\n    "


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: [", Code.SYNTAX, ""),
        ("version: 1\nimage: a\npipeline: {}\n---\na: 1\n", Code.SYNTAX, "---"),
        (f"{_TOP}pipeline: &x {{}}\n", Code.SYNTAX, "&x {"),
        (f"{_TOP}pipeline: *x\n", Code.SYNTAX, "*x"),
        (f"{_TOP}pipeline: !!map {{}}\n", Code.SYNTAX, "!!map {"),
        (f"{_TOP}pipeline: {{}}\npipelin: 1\n", Code.UNKNOWN_FIELD, "pipelin"),
        (f"{_TOP}image: b\npipeline: {{}}\n", Code.DUPLICATE_NAME, "image"),
        ("version: two\nimage: a\npipeline: {}\n", Code.VERSION, "two"),
        ("version: '1'\nimage: a\npipeline: {}\n", Code.VERSION, "'1'"),
        (f"{_TOP}pipeline: [a]\n", Code.SYNTAX, "[a]"),
        (f"{_TOP}pipeline:\n  1a:\n    out: serial\n", Code.SYNTAX, "1a"),
        (f"{_TOP}pipeline:\n  a:\n", Code.SYNTAX, "a"),
        (f"{_STAGE}modle: x\n", Code.MISSING_FIELD, "a"),
        (f"{_STAGE}model: x\n    out: y\n", Code.SYNTAX, "out"),
        (f"{_STAGE}out: serial\n    outputs: []\n", Code.UNKNOWN_FIELD, "outputs"),
        (f"{_STAGE}out: a b\n", Code.UNKNOWN_KIND, "a b"),
        (f"{_STAGE}out: serial\n    inputs: [.x]\n", Code.SYNTAX, ".x"),
        (f"{_STAGE}out: serial\n    inputs: b\n", Code.SYNTAX, "b"),
        (f"{_STAGE}capability: RAW\n    outputs: [{{type: str}}]\n", Code.UNKNOWN_TYPE, "str"),
        (f"{_STAGE}capability: RAW\n    outputs: [{{dimensions: [1]}}]\n", Code.MISSING_FIELD, "{"),
        (f"{_STAGE}capability: RAW\n    outputs: [{{type: F32, dimensions: [x]}}]\n", Code.SYNTAX, "x"),
        (f"{_STAGE}capability: RAW\n    outputs: [F32]\n", Code.SYNTAX, "F32"),
        (f"{_STAGE}capability: RAW\n    args: {{x: {{y: 1}}}}\n", Code.SYNTAX, "{y: 1}"),
        (f"{_STAGE}capability: RAW\n    args: {{x: [[1]]}}\n", Code.SYNTAX, "[1]"),
        (f"{_STAGE}capability: RAW\n    args: {{x: ~}}\n", Code.SYNTAX, "~"),
        (f"{_TOP}pipeline: {{}}\nresources: {{A: {{type: text}}}}\n", Code.UNKNOWN_KIND, "text"),
    ],
)
def test_errors_point_at_their_place(text: str, code: Code, place: str) -> None:
    assert pointed(text) == [(code, place)]


def test_positions_count_characters_behind_any_line_end() -> None:
    text = "version: 1\r\nimage: é😀\r\npipeline:\r\n  a:\r\n    out: serial\r\n    inpust: [é]\r\n"
    result = runefile.parse("\ufeff" + text, form=Form.YAML)
    [error] = result.diagnostics
    assert result.source.position(error.span.start) == (6, 5)
    assert error.hint == 'did you mean "inputs"?'


def test_a_stage_names_the_nearest_kind() -> None:
    [error] = runefile.parse(f"{_STAGE}modle: x\n", form=Form.YAML).diagnostics
    assert error.hint == 'did you mean "model"?'


def test_all_errors_of_a_file_are_reported() -> None:
    text = """\
version: 2
image: a
pipeline:
  a:
    capability: RAND
    outputs: [{type: str}, {type: string}]
  b:
    modell: x
"""
    assert [code for code, _ in pointed(text)] == [
        Code.VERSION,
        Code.UNKNOWN_TYPE,
        Code.UNKNOWN_TYPE,
        Code.MISSING_FIELD,
    ]
