"""How a diagnostic is shown."""

from __future__ import annotations

import json
from pathlib import Path

import runefile
from runefile.check import check_file
from runefile.diagnostics import Code, Diagnostic, did_you_mean, quoted, render_all
from runefile.source import Source, Span
from tests.runefile.fakes import SIGNALS, FakeCatalog, read_model
from tests.snapshots import assert_snapshot

_WRONG_TEXT = """\
FROM runicos/base

CAPABILITY<I16[24000]> audio SOUND --hz 16000 --sample-duration-ms 1000
PROC_BLOCK<I16[24000],U8[1960]> features hotg-ai/rune#proc_blocks/fft
MODEL<U8[1960],U8[4]> model ./model.tflite
PROC_BLOCK<U8[4], string> word label --lables=unknown,silence,yes,no
PROC_BLOCK<_,_> spare most_confident_index
OUT serial
OUT SERIAL

RUN audio features model word serial
RUN modle spare spare
"""
_WRONG_YAML = """\
version: 1
image: runicos/base
pipeline:
  audio:
    capability: SOUND
    outputs:
      - type: I16
        dimensions: [1, 16000]
    args:
      hz: "16000"
  model:
    model: $MODEL
    inputs: [audio, audio]
    args:
      format: tflite
  serial:
    out: SERIAL
    inputs: [model]
resources:
  MODLE:
    type: binary
    path: ./model.tflite
"""


def _shown(name: str, text: str, folder: Path) -> str:
    (folder / "model.tflite").write_bytes(b"microspeech")
    path = folder / name
    path.write_text(text)
    result = check_file(path, blocks=FakeCatalog(*SIGNALS), models=read_model)
    assert result.pipeline is None
    return render_all(result.diagnostics, result.source).replace(f"{folder}/", "") + "\n"


def test_everything_wrong_with_a_text(tmp_path: Path) -> None:
    assert_snapshot("runefile/wrong-text.txt", _shown("Runefile", _WRONG_TEXT, tmp_path))


def test_everything_wrong_with_a_yaml(tmp_path: Path) -> None:
    assert_snapshot("runefile/wrong-yaml.txt", _shown("Runefile.yml", _WRONG_YAML, tmp_path))


def test_statements_that_do_not_parse() -> None:
    text = 'FROM a\nMODEL<F32[1,F32> m ./m.tflite\nCAPABILITY<F32> a RAW --x "open\nRUNN a b\nRUN a, b\n'
    result = runefile.parse(text)
    assert_snapshot("runefile/syntax.txt", render_all(result.diagnostics, result.source) + "\n")


def test_the_layout() -> None:
    source = Source("a/Runefile", "FROM a\n\tMODEL x\n")
    diagnostic = Diagnostic(Code.SYNTAX, "no", Span(14, 15), "do")
    assert (
        diagnostic.render(source)
        == "a/Runefile:2:8: error[syntax]: no\n    \tMODEL x\n    \t      ^\nhint: do"
    )


def test_json() -> None:
    source = Source("a/Runefile", "FROM a\n\tMODEL x\n")
    diagnostic = Diagnostic(Code.SYNTAX, "no", Span(8, 13))
    assert json.loads(json.dumps(diagnostic.to_json(source))) == {
        "code": "syntax",
        "severity": "error",
        "message": "no",
        "hint": None,
        "file": "a/Runefile",
        "line": 2,
        "column": 2,
        "length": 5,
    }


def test_wide_characters_move_the_carets() -> None:
    source = Source("R", "a 日本 xy")
    assert (
        Diagnostic(Code.SYNTAX, "no", Span(5, 7)).render(source).splitlines()[-1] == "    " + " " * 7 + "^^"
    )


def test_a_long_line_is_cut_around_the_place() -> None:
    source = Source("R", "a" * 500 + "X" + "b" * 500)
    _, line, carets = Diagnostic(Code.SYNTAX, "no", Span(500, 501)).render(source).splitlines()
    assert len(line) < 120
    assert line[carets.index("^")] == "X"
    assert line.strip().startswith("...")
    assert line.endswith("...")


def test_carets_stay_on_the_first_line() -> None:
    source = Source("R", "ab\ncd\n")
    assert Diagnostic(Code.SYNTAX, "no", Span(1, 5)).render(source).splitlines()[1:] == ["    ab", "     ^"]


def test_text_of_the_file_cannot_move_the_cursor() -> None:
    assert quoted("a\x1b[31m\n") == '"a\\u001b[31m\\u000a"'
    assert quoted("x" * 200) == '"' + "x" * 77 + '..."'
    source = Source("R", "a\x1b[31mb")
    assert "\x1b" not in Diagnostic(Code.SYNTAX, "no", Span(6, 7)).render(source)


def test_suggestions() -> None:
    assert did_you_mean("most-confident_indexes", ["most_confident_indices", "label"]) == (
        'did you mean "most_confident_indices"?'
    )
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("zzz", [str(number) for number in range(100)]) is None
    assert did_you_mean("zzz", []) is None
