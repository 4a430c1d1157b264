"""Models with several signatures: `--signature KEY` chooses the graph that a stage runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rune
from container.errors import CompileError
from examples.tflite_writer import Graph

RUNEFILE = """\
FROM runicos/base
CAPABILITY<F32[1,3]> numbers RAW
MODEL<F32[1,3],F32[1,3]> model ./two.tflite --signature {key}
OUT serial
RUN numbers model serial
"""


def two_signatures() -> bytes:
    """`double` adds its input to itself, `square` multiplies it by itself."""
    square = Graph("square", signature="square")
    for graph, operator in (
        (Graph("double", subgraphs=[square], signature="double"), "ADD"),
        (square, "MUL"),
    ):
        x = graph.input("x", (1, 3), "float32")
        y = graph.tensor("y", (1, 3), "float32")
        graph.operator(operator, [x, x], [y])
        graph.output(y)
        if operator == "ADD":
            main = graph
    return main.to_bytes()


def folder_of(path: Path, key: str) -> Path:
    path.mkdir()
    (path / "two.tflite").write_bytes(two_signatures())
    (path / "Runefile").write_text(RUNEFILE.format(key=key))
    return path


@pytest.mark.parametrize(("key", "expected"), [("double", [2, 6, -8]), ("square", [1, 9, 16])])
def test_a_stage_runs_the_signature_it_names(tmp_path: Path, key: str, expected: list[float]) -> None:
    warnings: list[str] = []
    container = rune.build(folder_of(tmp_path / key, key), tmp_path / "app.rune", warn=warnings.append)
    with rune.load(container) as application:
        outputs = application.run({"numbers": np.array([[1, 3, -4]], "float32")})
    assert outputs["serial"].reshape(-1).tolist() == expected
    assert warnings == [f"golden vectors: no independent engine runs the signature `{key}` of a model"]


def test_an_unknown_signature_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(CompileError) as caught:
        rune.check(folder_of(tmp_path / "cube", "cube"))
    assert "two.tflite: the model has no signature `cube`" in caught.value.message
    assert "its signatures are: `double`, `square`" in caught.value.message
