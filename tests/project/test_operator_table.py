"""The page on operators says what the operators do."""

from __future__ import annotations

from typing import Any

import pytest

from builder.operators import by_tflite_name
from builder.operators.base import Node, Operator, Unsupported
from docs.operator_dtypes import taken_combinations
from docs.operator_table import operators, tflite_micro


@pytest.mark.parametrize("name", sorted(by_tflite_name()))
def test_every_operator_tells_its_dtypes(name: str) -> None:
    """One that asks for none, or late, tells them in its attribute `combinations`."""
    assert taken_combinations(by_tflite_name()[name], name)


def test_what_an_operator_asks_for_is_what_it_takes() -> None:
    softmax = taken_combinations(by_tflite_name()["SOFTMAX"], "SOFTMAX")
    assert ("int8", "int8") in softmax
    assert ("uint16", "uint16") not in softmax
    convolution = taken_combinations(by_tflite_name()["CONV_2D"], "CONV_2D")
    assert ("float32", "int8", "float32") in convolution


class Silent(Operator):
    def read_tflite(self, node: Node) -> Any:
        return node.value


def test_an_operator_that_does_not_tell_is_found() -> None:
    with pytest.raises(Unsupported, match="SILENT asks for no dtypes"):
        taken_combinations(Silent(), "SILENT")


def test_rows_of_the_page() -> None:
    rows = operators().splitlines()
    assert "| CONV_2D | exact | exact | exact | 1e-5 | 1e-5 | - |" in rows
    assert "| IF | - | - | - | - | - | - |" in rows
    assert (
        "| Unique | -: what it computes has a shape, or a course, that is known only when running |" in rows
    )
    assert "| Conv | 1e-5 |" in rows


def test_the_operators_of_tensorflow_lite_micro_are_listed_once() -> None:
    assert len(tflite_micro()) == len(set(tflite_micro())) > 100
