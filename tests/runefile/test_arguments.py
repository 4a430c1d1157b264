"""Arguments: kinds, names, defaults, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

import runefile
from container.manifest import Argument
from runefile.check import CheckResult, check
from runefile.diagnostics import Code
from tests.runefile.fakes import FakeCatalog, read_model


def checked(arguments: str, block: str = "every_kind") -> CheckResult:
    resources = 'RESOURCE<string> N --inline " 5\\n"\nRESOURCE<string> L --inline "1\\n2\\n"\n'
    stages = f"CAPABILITY<F32> x RAND\nPROC_BLOCK<_,_> b {block} {arguments}\nOUT serial\nRUN x b serial\n"
    text = f"FROM a\n{resources}{stages}"
    document = runefile.parse(text).document
    assert document is not None
    return check(document, directory=Path(), name="test", blocks=FakeCatalog(), models=read_model)


@pytest.mark.parametrize(
    ("written", "name", "value"),
    [
        ("--integer 5", "integer", 5),
        ("--integer $N", "integer", 5),
        ("--number 5", "number", 5.0),
        ("--number 0.5", "number", 0.5),
        ("--text abc", "text", "abc"),
        ("--text 007", "text", "007"),
        ("--text $N", "text", " 5\n"),
        ("--boolean", "boolean", True),
        ("--boolean False", "boolean", False),
        ("--list=a,1,2.50,true", "list", ("a", "1", "2.50", "true")),
        ("--list a", "list", ("a",)),
        ('--list "a\\n\\nb\\n\\n"', "list", ("a", "", "b")),
        ("--list $L", "list", ("1", "2")),
        ("--list=x,$N", "list", ("x", " 5\n")),
        ("--integers=1,-2", "integers", (1, -2)),
        ("--integers 3", "integers", (3,)),
        ("--integers $L", "integers", (1, 2)),
        ("--numbers=1,2.5", "numbers", (1.0, 2.5)),
        ("--INTEGER 5", "integer", 5),
    ],
)
def test_values_by_kind(written: str, name: str, value: Argument) -> None:
    result = checked(written)
    assert result.pipeline is not None, result.diagnostics
    found = result.pipeline.stages[1].arguments
    assert found == {name: value}
    assert type(found[name]) is type(value)


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("--integer five", '"integer" takes an integer, not text ("five")', None),
        ('--integer "5"', '"integer" takes an integer, not text ("5")', "remove the quotes"),
        ("--integer 5.0", '"integer" takes an integer, not 5.0', "write it without a fraction"),
        (
            "--integer 99999999999999999999",
            '"integer" takes an integer, not 99999999999999999999',
            "it must fit in 64 bits",
        ),
        ("--integer true", '"integer" takes an integer, not true', None),
        ("--integer=1,2", '"integer" takes an integer, not a list', None),
        ("--number 1e999", '"number" takes a number, not 1e999', "it must be finite"),
        ("--number .nan", '"number" takes a number, not .nan', "it must be finite"),
        ("--text=a,b", '"text" takes text, not a list', "text with commas goes in quotes"),
        ("--boolean 1", '"boolean" takes true or false, not 1', "write true or false"),
        ("--integers=1,x", '"integers" takes a list of integers, not a list', None),
    ],
)
def test_wrong_kinds(written: str, message: str, hint: str | None) -> None:
    [fault] = checked(written).diagnostics[-1:]
    assert (fault.code, fault.message, fault.hint) == (Code.WRONG_ARGUMENT, message, hint)


def errors(arguments: str, block: str) -> list[tuple[Code, str, str | None]]:
    return [
        (fault.code, fault.message, fault.hint)
        for fault in checked(arguments, block).diagnostics
        if fault.code is not Code.UNUSED_RESOURCE
    ]


def test_names_are_suggested() -> None:
    [(code, message, hint)] = errors("--modulus 1 --modulos 2", "modulo")
    assert code is Code.UNKNOWN_ARGUMENT
    assert message == 'the proc block "modulo" has no argument "modulos"'
    assert hint == 'did you mean "modulus"?'


def test_a_block_without_arguments_says_so() -> None:
    [(_, _, hint)] = errors("--x 1", "normalize")
    assert hint == "it takes no arguments; remove this one"


def test_required_arguments_are_asked_for() -> None:
    assert errors("", "modulo") == [
        (
            Code.MISSING_ARGUMENT,
            'the proc block "modulo" needs the argument "modulus": the divisor',
            "add --modulus with a number",
        )
    ]


def test_an_alias_is_the_same_argument() -> None:
    [(code, message, _)] = errors("--labels=a,b --wordlist=c,d", "label")
    assert code is Code.DUPLICATE_NAME
    assert message == '"wordlist" gives "labels" a second value'


def test_dashes_and_underscores_are_the_same() -> None:
    text = "FROM a\nCAPABILITY<_> x SOUND --sample_duration-ms 100\nOUT serial\nRUN x serial\n"
    document = runefile.parse(text).document
    assert document is not None
    result = check(document, directory=Path(), name="test", blocks=FakeCatalog(), models=read_model)
    assert result.pipeline is not None
    assert result.pipeline.stages[0].arguments == {"sample_duration_ms": 100, "hz": 16000}


def test_choices_are_in_any_case_and_suggested() -> None:
    text = "FROM a\nCAPABILITY<_> x IMAGE --width 2 --height 2 --pixel-format RBG\nOUT serial\nRUN x serial\n"
    document = runefile.parse(text).document
    assert document is not None
    result = check(document, directory=Path(), name="test", blocks=FakeCatalog(), models=read_model)
    [fault] = result.diagnostics
    assert fault.message == 'Expected the pixel format to be one of RGB, BGR, GrayScale, but found "RBG"'
    assert fault.hint == 'did you mean "RGB"?'
