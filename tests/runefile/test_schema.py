"""The JSON schema for editors: fresh, and of one mind with the reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from runefile.schema import schema, text
from tests.runefile.corpus import COMPILE_FAIL, RUNEFILES, compile_fail_folder, corpus_file

_COMMITTED = Path(__file__).parents[2] / "docs" / "runefile.schema.json"
_YAML = [name for name in RUNEFILES if name.endswith(".yml")]


def problems(document: object) -> list[str]:
    validator: Any = jsonschema.Draft202012Validator(schema())
    return [error.message for error in validator.iter_errors(document)]


def test_the_committed_schema_is_fresh() -> None:
    assert _COMMITTED.read_text() == text(), "run: python -m runefile.schema > docs/runefile.schema.json"


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("name", _YAML)
def test_real_files_are_valid(name: str) -> None:
    # The one real file with arguments that no model has.
    wrong = name == "v1/model-arguments-should-be-used.Runefile.yml"
    assert bool(problems(yaml.safe_load(corpus_file(name).read_text()))) is wrong


# What a schema can know; the rest needs the graph or the files.
_SEEN = {
    "image-is-required",
    "pipeline-is-required",
    "str-is-not-a-type",
    "there-is-no-version-2",
    "unknown-model-format",
    "version-is-required",
}


@pytest.mark.parametrize("name", COMPILE_FAIL)
def test_wrong_files_are_invalid_where_a_schema_can_know(name: str) -> None:
    document = yaml.safe_load((compile_fail_folder(name) / "Runefile.yml").read_text())
    assert bool(problems(document)) is (name in _SEEN)


def stage(**fields: object) -> dict[str, object]:
    return {"version": 1, "image": "a", "pipeline": {"a": fields}}


@pytest.mark.parametrize(
    ("fields", "valid"),
    [
        ({"capability": "IMAGE", "args": {"pixel-format": "@PixelFormat::RGB", "width": 4}}, True),
        ({"capability": "image", "args": {"pixel_format": "grayscale", "height": "$H"}}, True),
        ({"capability": "IMAGE", "args": {"pixel-format": "CMYK"}}, False),
        ({"capability": "IMAGE", "args": {"widht": 4}}, False),
        ({"capability": "SOUND", "args": {"hz": "fast"}}, False),
        ({"capability": "SOUND", "inputs": ["b"]}, False),
        ({"out": "serial", "inputs": ["b.0", "b.odd name"]}, True),
        ({"out": "cereal"}, False),
        ({"proc-block": "x", "args": {"labels": ["a", 1]}, "outputs": [{"name": "y", "type": "_"}]}, True),
        ({"proc-block": "x", "outputs": [{"type": "F32", "dimensions": [0]}]}, False),
        ({"model": "x", "args": {"format": "onnx"}, "input-types": [{"type": "i8"}]}, True),
        ({"model": "x", "input-types": [{"name": "y", "type": "i8"}]}, False),
        ({}, False),
    ],
)
def test_stages(fields: dict[str, object], valid: bool) -> None:
    assert (problems(stage(**fields)) == []) is valid
