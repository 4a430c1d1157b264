"""Reading what was printed gives the same tree, in either form and from one to the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

import runefile
from container.manifest import StageKind
from runefile import Form
from runefile.diagnostics import render_all
from runefile.syntax import Argument, Document, Input, Resource, ResourceKind, Stage
from tests.runefile.corpus import RUNEFILES, corpus_file
from tests.runefile.strategies import HARD_TEXTS, documents


def read(text: str, form: Form) -> Document:
    result = runefile.parse(text, form=form)
    assert result.document is not None, render_all(result.diagnostics, result.source)
    assert result.diagnostics == (), render_all(result.diagnostics, result.source)
    return result.document


@given(documents())
@settings(max_examples=150)
def test_a_tree_is_read_as_it_was_printed(document: Document) -> None:
    from_text = read(runefile.format(document, "text"), Form.TEXT)
    assert from_text == document
    from_yaml = read(runefile.format(from_text, "yaml"), Form.YAML)
    assert from_yaml == document
    assert read(runefile.format(from_yaml, "text"), Form.TEXT) == document


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_every_hard_text_is_read_as_it_was_printed(text: str) -> None:
    resource = Resource("R", ResourceKind.STRING, text, text)
    arguments = (Argument("one", text), Argument("none", (text,)), Argument("two", (text, text)))
    stage = Stage("s", StageKind.PROC_BLOCK, text, (Input("s", text or None),), arguments=arguments)
    model = Stage("m", StageKind.MODEL, text)
    document = Document(text, (stage, model), (resource,))
    if text.isdecimal():
        document = replace(document, stages=(replace(stage, inputs=(Input("s", int(text)),)), model))
    for form in Form:
        assert read(runefile.format(document, form), form) == document


@pytest.mark.parametrize("name", RUNEFILES)
def test_a_real_file_round_trips_both_ways(name: str) -> None:
    parsed = runefile.parse(corpus_file(name))
    assert parsed.diagnostics == ()
    assert parsed.document is not None
    text, yaml = runefile.format(parsed.document, "text"), runefile.format(parsed.document, "yaml")
    assert read(text, Form.TEXT) == parsed.document
    assert read(yaml, Form.YAML) == parsed.document
    assert runefile.format(read(text, Form.TEXT), "text") == text
    assert runefile.format(read(yaml, Form.YAML), "yaml") == yaml


@pytest.mark.parametrize("name", RUNEFILES)
def test_a_text_is_recognised_without_a_file_name(name: str) -> None:
    content = corpus_file(name).read_text()
    assert runefile.parse(content).form is (Form.YAML if Path(name).suffix == ".yml" else Form.TEXT)


def test_the_form_of_the_contract_is_canonical() -> None:
    text = """\
FROM runicos/base
CAPABILITY<I8[1,49,10,1]> features RAW
MODEL<I8[1,49,10,1],I8[1,12]> kws ./kws.tflite
PROC_BLOCK<I8[1,12],U32[1]> best most_confident_indices --count 1
PROC_BLOCK<U32[1],UTF8[1]> word label --labels=down,go,left,no,off,on,right,stop,up,yes,silence,unknown
OUT serial
RUN features kws best word serial
"""
    assert runefile.format(read(text, Form.TEXT)) == text
