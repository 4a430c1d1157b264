"""Every real Runefile is checked: what is accepted, and what is refused for which reasons."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from container.errors import ExitCode
from runefile.check import CheckResult, check_file
from runefile.diagnostics import Code, Severity, render_all
from tests.runefile.corpus import (
    COMPILE_FAIL,
    RUNEFILES,
    compile_fail_folder,
    corpus_file,
    everything_listed,
    placed,
)
from tests.runefile.fakes import SIGNALS, FakeCatalog, read_model
from tests.shared import shared_path

# What is wrong with the files that are refused; those not named here are accepted.
REFUSED = {
    # Blocks that nobody has any more.
    "dsl/gesture.v0.2.1.Runefile": [Code.UNKNOWN_BLOCK],
    "dsl/person_detection.v0.2.1.Runefile": [Code.UNKNOWN_BLOCK],
    # Its model is not at hand, and so is its block.
    "dsl/inception.Runefile": [Code.FILE, Code.UNKNOWN_BLOCK],
    # fft gives U32, not the declared U8; the model takes I8 and gives six classes, not U8 and four; label is
    # called ohv_label; and so U32 flows into the model.
    "dsl/microspeech.v0.2.1.Runefile": [
        Code.TYPE_MISMATCH,
        Code.TYPE_MISMATCH,
        Code.TYPE_MISMATCH,
        Code.UNKNOWN_BLOCK,
        Code.TYPE_MISMATCH,
    ],
    # A known format that is not compiled.
    "v1/directories-are-zipped-when-used-for-models.Runefile.yml": [Code.MODEL_FORMAT],
    # Files made to test a parser alone: no output, models that do not fit.
    "v1/known-model-formats.Runefile.yml": [
        Code.NO_OUTPUT,
        Code.MODEL_FORMAT,
        Code.TYPE_MISMATCH,
        Code.MODEL_FORMAT,
        Code.TYPE_MISMATCH,
    ],
    "v1/models-with-multiple-inputs.Runefile.yml": [
        Code.NO_OUTPUT,
        Code.COUNT_MISMATCH,
        Code.TYPE_MISMATCH,
    ],
    "v1/model-arguments-should-be-used.Runefile.yml": [
        Code.UNREACHABLE,
        Code.UNKNOWN_ARGUMENT,
        Code.UNKNOWN_ARGUMENT,
        Code.BAD_RESOURCE,
    ],
}


def checked(path: Path) -> CheckResult:
    return check_file(path, blocks=FakeCatalog(*SIGNALS), models=read_model)


def test_the_lists_name_every_file() -> None:
    shared_path("rune-corpus")
    assert everything_listed()


@pytest.mark.parametrize("name", RUNEFILES)
def test_a_real_file_is_accepted_or_refused_for_its_faults(name: str, tmp_path: Path) -> None:
    result = checked(placed(corpus_file(name), tmp_path))
    codes = [diagnostic.code for diagnostic in result.diagnostics]
    assert codes == REFUSED.get(name, []), render_all(result.diagnostics, result.source)
    assert (result.pipeline is None) is (name in REFUSED)


@pytest.mark.parametrize("name", COMPILE_FAIL)
def test_a_wrong_file_is_refused_with_its_point(name: str, tmp_path: Path) -> None:
    folder = compile_fail_folder(name)
    result = checked(placed(folder / "Runefile.yml", tmp_path))
    assert result.pipeline is None
    assert result.error().exit_code is ExitCode.RUNEFILE
    shown = render_all(result.diagnostics, result.source)
    for expected in folder.glob("*.stderr"):
        # `error: ` and the dots before a step of a cycle are how the old tool laid its messages out.
        point = expected.read_text().strip().removeprefix("error: ").removeprefix("... ")
        assert point in shown


def test_the_meaning_of_a_byte_is_taught(tmp_path: Path) -> None:
    path = placed(corpus_file("dsl/microspeech.v0.2.1.Runefile"), tmp_path)
    result = checked(path)
    [lesson] = [diagnostic for diagnostic in result.diagnostics if "declares its input" in diagnostic.message]
    assert lesson.message == (
        '"model" declares its input as U8[1960], but "./model.tflite" takes I8[1,1960] '
        "(scale 0.1, zero point -128)"
    )
    # 200 as a signed byte is -56, and 0.1 * (-56 + 128) = 7.2.
    assert lesson.hint == (
        "write I8[1960]. The same byte is another number: 0xC8 is 200 as U8 and -56 as I8. "
        "Here a number q stands for 0.1 * (q + 128): 7.2, not 32.8"
    )
    assert path.read_text()[lesson.span.start : lesson.span.end] == "U8[1960]"


def test_warnings_alone_do_not_refuse(tmp_path: Path) -> None:
    path = placed(corpus_file("v1/model-from-resource.Runefile.yml"), tmp_path)
    path.write_text(path.read_text() + "  SPARE:\n    inline: words\n")
    result = checked(path)
    assert result.pipeline is not None
    assert Counter(diagnostic.severity for diagnostic in result.diagnostics) == {Severity.WARNING: 1}
