"""A picture of a pipeline: its stages as boxes, the tensors between them as labelled arrows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from graphviz import Digraph, escape, nohtml
from graphviz.backend import CalledProcessError, ExecutableNotFound

from container.errors import RuneError, UsageError
from container.files import write_atomically
from container.manifest import StageKind, StageRecord

SHAPES = {
    StageKind.CAPABILITY: ("ellipse", "#cfe8cf"),
    StageKind.PROC_BLOCK: ("box", "#f3ecc4"),
    StageKind.MODEL: ("box3d", "#cfdcf3"),
    StageKind.OUT: ("ellipse", "#f3d3c4"),
}
"""Shape and colour of the stages of each kind."""


def dot(name: str, stages: Sequence[StageRecord]) -> str:
    """The picture as a DOT file."""
    return str(_digraph(name, stages).source)


def draw(name: str, stages: Sequence[StageRecord], file: Path) -> None:
    """Write the picture to a `.svg` or `.dot` file.

    Raises UsageError for another ending, RuneError when the file cannot be written or the program `dot`,
    which an SVG needs, is not there.
    """
    if file.suffix == ".dot":
        write_atomically(file, dot(name, stages).encode())
    elif file.suffix == ".svg":
        write_atomically(file, _svg(_digraph(name, stages)))
    else:
        raise UsageError(f"{file}: a picture ends in .svg or .dot", hint="name the file pipeline.svg")


def _digraph(name: str, stages: Sequence[StageRecord]) -> Digraph:
    graph = Digraph(name, graph_attr={"rankdir": "LR"}, node_attr={"style": "filled", "fontname": "sans"})
    graph.attr("edge", fontname="sans", fontsize="10")
    numbers = {stage.name: f"stage{number}" for number, stage in enumerate(stages)}
    known = {stage.name: stage for stage in stages}
    for stage in stages:
        shape, color = SHAPES[stage.kind]
        title = _lines(stage.name, stage.target if stage.target != stage.name else "")
        graph.node(numbers[stage.name], title, shape=shape, fillcolor=color)
    for stage in stages:
        for source, kind in zip(stage.inputs, stage.input_types, strict=True):
            names = known[source.stage].output_names
            name = names[source.output] if source.output < len(names) else ""
            label = _lines(name, str(kind), str(kind.quantization or ""))
            graph.edge(numbers[source.stage], numbers[stage.name], label)
    return graph


def _lines(*texts: str) -> str:
    """A label of one line for each text that is not empty, with nothing in it that DOT would interpret."""
    label: str = nohtml("\\n".join(escape(text) for text in texts if text))
    return label


def _svg(graph: Digraph) -> bytes:
    try:
        return bytes(graph.pipe(format="svg"))
    except ExecutableNotFound:
        raise RuneError(
            "the program `dot`, which draws an SVG, is not installed",
            hint="install graphviz (`apt install graphviz`), or write a .dot file",
        ) from None
    except CalledProcessError as error:
        raise RuneError(f"the program `dot` failed: {str(error.stderr)[:200]}") from None
