"""Whatever a Runefile holds, the answer is a pipeline or diagnostics: no other exception, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runefile
from container.errors import RuneError
from runefile import Form
from runefile.check import check
from runefile.diagnostics import MAXIMUM_DIAGNOSTICS, Code, Diagnostic, render_all
from runefile.files import MAXIMUM_RUNEFILE_BYTES
from tests.runefile.corpus import RUNEFILES, corpus_file
from tests.runefile.fakes import FakeCatalog, read_model

_SIZE = MAXIMUM_RUNEFILE_BYTES - 100
_SMALL = 20_000
"""Files that do not outgrow the limits by being printed in the other form."""
_PATIENCE_S = 5.0
"""Of the processor: what the limits keep under a second; the quadratic ways out take minutes."""


def answer(content: bytes | str, form: Form | None = None) -> tuple[Diagnostic, ...]:
    """The diagnostics of a whole check, rendered and formatted on the way."""
    result = runefile.parse(content, form=form)
    diagnostics = result.diagnostics
    if result.document is not None:
        checked = check(
            result.document,
            directory=Path("/nowhere"),
            name="test",
            blocks=FakeCatalog(),
            models=read_model,
            found=diagnostics,
        )
        diagnostics = checked.diagnostics
        if not result.diagnostics and len(content) < _SMALL:
            for form in Form:
                again = runefile.parse(runefile.format(result.document, form), form=form)
                assert again.document == result.document
    for diagnostic in diagnostics:
        line, column = result.source.position(diagnostic.span.start)
        assert line >= 1
        assert column >= 1
        assert 0 <= diagnostic.span.start <= diagnostic.span.end
    shown = render_all(diagnostics, result.source)
    assert all(character.isprintable() or character in "\n\t" for character in shown)
    return diagnostics


_PIECES = [
    b"\n", b" ", b"\t", b"#", b"\\", b'"', b"'", b"<", b">", b"(", b")", b"[", b"]", b"{", b"}",
    b",", b":", b"-", b"_", b"$", b"$A", b"--x", b"RUN", b"MODEL<_,_> a b", b"OUT serial", b"\r",
    b"\0", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"|\n", b">-\n", b"&a", b"*a",
    b"!!str", b"- ", b"? ", b"...", b"---", b"0", b"-1", b"1e999",
    b"99999999999999999999999999999", b".nan", b"str", b"null", b"~", b"\x1b[31m", b"F32[4]",
    b"\xf0\x9f\x98\x80",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real file in which a few pieces were cut out, doubled, moved or put in."""
    content = bytearray(corpus_file(draw(st.sampled_from(SMALL))).read_bytes())
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 12)))
        content[start:end] = draw(st.sampled_from(_PIECES) | st.just(bytes(content[start:end]) * 2))
    return bytes(content)


SMALL = [name for name in RUNEFILES if "inception" not in name]


@given(mutated())
@settings(max_examples=400)
def test_a_mutated_file_gets_an_answer(content: bytes) -> None:
    answer(content)


@given(st.binary(max_size=200), st.sampled_from(Form))
@settings(max_examples=100)
def test_any_bytes_get_an_answer(content: bytes, form: Form) -> None:
    answer(content, form)


def filled(pattern: str, size: int = _SIZE) -> str:
    return (pattern * (size // len(pattern) + 1))[:size]


_TEXT = "FROM a\nCAPABILITY<_> a RAW\nOUT serial\n"
_YAML = "version: 1\nimage: a\n"


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (_TEXT + "PROC_BLOCK<_,_> p x --l=" + filled("a,"), Form.TEXT),
        (_TEXT + "PROC_BLOCK<_,_> p x " + filled("-a "), Form.TEXT),
        (_TEXT + "RUN " + filled("a "), Form.TEXT),
        (_TEXT + filled("RUN a serial\n"), Form.TEXT),
        (_TEXT + f"RUN ({'a,' * 9000}a) ({'serial,' * 9000}serial)\n", Form.TEXT),
        (_TEXT + f"RUN ({'a,' * 900}a) " + " ".join(["(serial, serial)"] * 90), Form.TEXT),
        (filled("x\n"), Form.TEXT),
        (filled("\\\n"), Form.TEXT),
        ("MODEL<" + filled("("), Form.TEXT),
        ("FROM " + filled('\\"'), Form.TEXT),
        (filled(" "), Form.TEXT),
        ("FROM a\n" + "".join(f"CAPABILITY<F32> a{n} RAW\n" for n in range(5000)), Form.TEXT),
        ("FROM a\n" + "".join(f"PROC_BLOCK<_,_> b{n} y{n}\nRUN c{n} b{n}\n" for n in range(900)), Form.TEXT),
        (
            "FROM a\n"
            + "".join(f"PROC_BLOCK<_,_> b{n} normalize\n" for n in range(900))
            + "RUN "
            + " ".join(f"b{n}" for n in range(900))
            + " b0\n",
            Form.TEXT,
        ),
        (filled("["), Form.YAML),
        (filled("{a: "), Form.YAML),
        (filled("? "), Form.YAML),
        (filled("- "), Form.YAML),
        ("[a," + filled("[],"), Form.YAML),
        ("{" + filled("?,"), Form.YAML),
        ("{" + filled("a: 1, ") + "}", Form.YAML),
        (filled("a: b\n"), Form.YAML),
        (filled("#\n") + "a: 1", Form.YAML),
        (_YAML + "pipeline:\n  m:\n    model: x\n    inputs: [" + filled("a,") + "]\n", Form.YAML),
        (
            _YAML
            + "pipeline:\n"
            + "".join(f"  s{n}: {{out: serial, inputs: [a{n}]}}\n" for n in range(3000)),
            Form.YAML,
        ),
    ],
    ids=range(25),
)
def test_huge_files_are_answered_soon(content: str, form: Form) -> None:
    began = time.process_time()
    diagnostics = answer(content, form)
    assert time.process_time() - began < _PATIENCE_S
    assert 0 < len(diagnostics) <= MAXIMUM_DIAGNOSTICS + 1


def test_a_file_over_the_limit_is_refused() -> None:
    [diagnostic] = answer(b"#" * (MAXIMUM_RUNEFILE_BYTES + 1))
    assert diagnostic.code is Code.LIMIT


def test_a_file_at_the_limit_is_read() -> None:
    assert {diagnostic.code for diagnostic in answer(b"#" * MAXIMUM_RUNEFILE_BYTES)} == {Code.MISSING_FIELD}


@pytest.mark.parametrize(
    ("content", "position", "message"),
    [
        (b"FROM a\nOUT s\xff\n", (2, 6), "byte 0xff is not UTF-8"),
        (b"\xef\xbb\xbfFROM \xc3\xa9\xff\n", (1, 7), "byte 0xff is not UTF-8"),
        (b"FROM a\r\nOUT\x00 x\n", (2, 4), "the character U+0000 may not stand in a Runefile"),
        (b"FROM a\rOUT \xe2\x80\xa8x\n", (2, 5), "the character U+2028 may not stand in a Runefile"),
    ],
)
def test_what_is_no_text_is_pointed_at(content: bytes, position: tuple[int, int], message: str) -> None:
    result = runefile.parse(content)
    [diagnostic] = result.diagnostics
    assert result.source.position(diagnostic.span.start) == position
    assert diagnostic.message == message


def test_a_file_that_is_utf_16_is_told_what_to_do() -> None:
    [diagnostic] = runefile.parse("FROM a\n".encode("utf-16")).diagnostics
    assert (diagnostic.code, diagnostic.hint) == (Code.ENCODING, "save the file as UTF-8")


def test_a_folder_or_nothing_is_no_runefile(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing", Path("/dev/zero")):
        with pytest.raises(RuneError, match=str(path)):
            runefile.parse(path)
