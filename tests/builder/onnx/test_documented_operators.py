"""The list of operators in `docs/models.md` is one of operators that the importer takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from onnx import helper

from builder.importers.onnx_graph import check_operator
from builder.operators.base import Unsupported

PAGE = (Path(__file__).parents[3] / "docs" / "models.md").read_text()


def listed() -> list[str]:
    section = PAGE.split("### Operators")[1].split("-->")[1].split("\n\n")[0]
    return re.findall(r"\w+", section)


def test_every_listed_operator_is_taken() -> None:
    assert len(listed()) > 90
    for operator in listed():
        check_operator(helper.make_node(operator, ["x"], ["y"]))


@pytest.mark.parametrize("operator", ["If", "Loop", "Scan", "NonZero", "Unique"])
def test_what_the_page_excludes_is_refused(operator: str) -> None:
    assert operator in PAGE
    with pytest.raises(Unsupported):
        check_operator(helper.make_node(operator, ["x"], ["y"]))
