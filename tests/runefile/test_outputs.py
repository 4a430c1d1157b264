"""Outputs: what a pin follows, and which arguments and types do not fit each other."""

from __future__ import annotations

from pathlib import Path

import pytest

import runefile
from runefile.check import CheckResult, check
from runefile.diagnostics import Code
from tests.runefile.fakes import FakeCatalog, read_model

NUMBERS = "CAPABILITY<{}> it RAW"
WORDS = "CAPABILITY<UTF8[1]> it RAW --length 5"


def checked(capability: str, pin: str, run: str = "it pin") -> tuple[CheckResult, str]:
    """Check a pipeline of one capability and a pin."""
    text = f"FROM a\n{capability}\nOUT pin {pin}\nRUN {run}\n"
    document = runefile.parse(text).document
    assert document is not None
    return check(document, directory=Path(), name="test", blocks=FakeCatalog(), models=read_model), text


@pytest.mark.parametrize(
    ("capability", "arguments", "expected"),
    [
        (NUMBERS.format("F32[4]"), "--pin 13 --threshold 0.5", {"pin": 13, "threshold": 0.5}),
        (NUMBERS.format("F32[1]"), "--pin 0 --threshold -3.4e38", {"pin": 0, "threshold": -3.4e38}),
        (NUMBERS.format("I8[2]"), "--pin 255 --threshold -128", {"pin": 255, "threshold": -128.0}),
        (NUMBERS.format("U32[1]"), "--pin 1 --threshold 4294967295", {"pin": 1, "threshold": 4294967295.0}),
        (WORDS, "--pin 1 --label three", {"pin": 1, "label": "three"}),
        (WORDS, "--pin 1 --label 7", {"pin": 1, "label": "7"}),
    ],
)
def test_what_a_pin_follows(capability: str, arguments: str, expected: dict[str, object]) -> None:
    result, _ = checked(capability, arguments)
    assert result.pipeline is not None, result.diagnostics
    assert result.pipeline.stages[-1].arguments == expected


@pytest.mark.parametrize(
    ("capability", "arguments", "code", "place", "message", "hint"),
    [
        (
            NUMBERS.format("F32[1]"),
            "--pin 3",
            Code.MISSING_ARGUMENT,
            "pin",
            'PIN needs the argument "threshold": the least number at which the pin is high',
            "add --threshold X",
        ),
        (
            WORDS,
            "--pin 3",
            Code.MISSING_ARGUMENT,
            "pin",
            'PIN needs the argument "label": the text at which the pin is high',
            "add --label WORD",
        ),
        (
            NUMBERS.format("F32[1]"),
            "--threshold 3",
            Code.MISSING_ARGUMENT,
            "pin",
            'PIN needs the argument "pin": its number',
            "add --pin with an integer",
        ),
        (
            NUMBERS.format("F32[1]"),
            "--pin 3 --threshold 1 --label on",
            Code.WRONG_ARGUMENT,
            "on",
            "this pin follows numbers, which take --threshold, not --label",
            "remove --label",
        ),
        (
            NUMBERS.format("F32[1]"),
            "--pin 3 --label on",
            Code.WRONG_ARGUMENT,
            "on",
            "this pin follows numbers, which take --threshold, not --label",
            "write --threshold instead",
        ),
        (
            WORDS,
            "--pin 3 --threshold 0.25",
            Code.WRONG_ARGUMENT,
            "0.25",
            "this pin follows text, which is compared with --label, not --threshold",
            "write --label instead",
        ),
        (
            NUMBERS.format("F32[1]"),
            "--pin -1 --threshold 1",
            Code.WRONG_ARGUMENT,
            "-1",
            "a pin is a number from 0 to 255, not -1",
            None,
        ),
        (
            NUMBERS.format("F32[1]"),
            "--pin 256 --threshold 1",
            Code.WRONG_ARGUMENT,
            "256",
            "a pin is a number from 0 to 255, not 256",
            None,
        ),
        (
            WORDS,
            "--pin 3 --label eleven",
            Code.WRONG_ARGUMENT,
            "eleven",
            "the label has 6 bytes; the text that it is compared with has at least 1 and at most 5",
            "write one of the labels of the stage before",
        ),
        (
            NUMBERS.format("I8[1]"),
            "--pin 3 --threshold 128",
            Code.WRONG_ARGUMENT,
            "128",
            "no I8 is compared with 128: it has -128 to 127",
            "choose a threshold in this range",
        ),
        (
            NUMBERS.format("U16[1]"),
            "--pin 3 --threshold -1",
            Code.WRONG_ARGUMENT,
            "-1",
            "no U16 is compared with -1: it has 0 to 65535",
            "choose a threshold in this range",
        ),
        (
            NUMBERS.format("I16[1]"),
            "--pin 3 --threshold -1.5",
            Code.WRONG_ARGUMENT,
            "-1.5",
            "I16 is compared with an integer, not -1.5",
            "write -1",
        ),
        (
            NUMBERS.format("F32[1]"),
            "--pin 3 --threshold 1e39",
            Code.WRONG_ARGUMENT,
            "1e39",
            "no F32 is compared with 1e+39: it has -3.40282e+38 to 3.40282e+38",
            "choose a threshold in this range",
        ),
        (
            NUMBERS.format("F64[1]"),
            "--pin 3 --threshold 1",
            Code.TYPE_MISMATCH,
            "it",
            "PIN takes numbers of at most 32 bits, not F64[1]",
            "put a block such as cast before it",
        ),
    ],
)
def test_what_a_pin_cannot_follow(
    capability: str, arguments: str, code: Code, place: str, message: str, hint: str | None
) -> None:
    result, text = checked(capability, arguments)
    [fault] = result.diagnostics
    assert (fault.message, fault.hint) == (message, hint)
    assert (fault.code, text[fault.span.start : fault.span.end]) == (code, place)


def test_a_pin_follows_one_input() -> None:
    result, text = checked(NUMBERS.format("F32[1]"), "--pin 3 --threshold 1", "(it, it) pin")
    [fault] = result.diagnostics
    assert fault.code is Code.COUNT_MISMATCH
    assert fault.message == 'PIN takes 1 input, but "pin" is given 2'
    assert fault.span.start == text.rindex("it")
