"""The guide to the language: its examples are read, and its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import runefile
from container.tensors import ElementType
from runefile import Form
from runefile.capabilities import CAPABILITIES
from runefile.diagnostics import Code
from runefile.outputs import OUTPUTS
from runefile.text import _FORMS

_GUIDE = (Path(__file__).parents[2] / "docs" / "runefile.md").read_text()
_EXAMPLES = re.findall(r"^```(runefile|yaml)\n(.*?)^```$", _GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("language", "example"), _EXAMPLES)
def test_an_example_is_read_and_round_trips(language: str, example: str) -> None:
    form = Form.TEXT if language == "runefile" else Form.YAML
    parsed = runefile.parse(example)
    assert parsed.form is form
    assert parsed.diagnostics == ()
    assert parsed.document is not None
    for other in Form:
        again = runefile.parse(runefile.format(parsed.document, other), form=other)
        assert again.document == parsed.document


def test_the_first_two_examples_are_canonical_and_equal() -> None:
    (_, text), (_, yaml) = _EXAMPLES[:2]
    document = runefile.parse(text).document
    assert document is not None
    assert runefile.format(document, "text") == text
    assert document == runefile.parse(yaml).document


def test_the_examples_use_every_statement() -> None:
    used = {word for _, example in _EXAMPLES for word in re.findall(r"^[A-Z_]+\b", example, re.MULTILINE)}
    assert used == set(_FORMS)


def test_the_tables_name_everything() -> None:
    prose = re.sub(r"^```.*?^```$", "", _GUIDE, flags=re.MULTILINE | re.DOTALL)
    cells = set(re.findall(r"`([^`\n]+)`", prose))
    assert set(Code) <= cells
    assert set(CAPABILITIES) <= cells
    assert set(OUTPUTS) <= cells
    tables = [kind.parameters for kind in CAPABILITIES.values()]
    tables += [kind.parameters for kind in OUTPUTS.values()]
    assert {parameter.name for table in tables for parameter in table} <= cells
    assert " ".join(element.value.upper() for element in ElementType) in cells
