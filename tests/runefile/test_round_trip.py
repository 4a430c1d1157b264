"""Reading what was printed gives the same tree, in either form and from one to the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runefile
from runefile import Form
from runefile.diagnostics import render_all
from runefile.syntax import Document, all_comments
from tests.runefile.strategies import documents
from tests.shared import shared_path

CORPUS = sorted(
    path.relative_to(shared_path("rune-corpus"))
    for path in shared_path("rune-corpus/runefiles").rglob("*.Runefile*")
) if Path(__file__).resolve().parents[3].joinpath("shared").exists() else []


def read(text: str, form: Form) -> Document:
    result = runefile.parse(text, form=form)
    assert result.document is not None, render_all(result.diagnostics, result.source)
    assert result.diagnostics == (), render_all(result.diagnostics, result.source)
    return result.document


@given(documents())
@settings(max_examples=400)
def test_text_is_read_as_it_was_printed(document: Document) -> None:
    assert read(runefile.format(document, "text"), Form.TEXT) == document


@given(documents())
@settings(max_examples=400)
def test_yaml_is_read_as_it_was_printed(document: Document) -> None:
    assert read(runefile.format(document, "yaml"), Form.YAML) == document
