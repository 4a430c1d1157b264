"""The page on operators: what each takes, as the operators themselves say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import helper

from builder.families.data_movement import MOVED
from builder.importers.onnx_graph import check_operator
from builder.importers.onnx_qlinear import INTEGER_OPERATORS
from builder.operators import by_tflite_name
from builder.operators.base import Unsupported
from docs.operator_dtypes import Combinations, taken_combinations

FOLDER = Path(__file__).parent
INTRODUCTION = """\
What can be compiled, by the dtype of an operator's first input; *hybrid* is float32 with int8 weights.

| | |
|---|---|
| exact | every bit is the reference's |
| 1e-5 | floats within 1e-5 of the tensor's largest magnitude |
| - | not yet: a model with such an operator is refused, and the message names it |

`rune diff` shows how far a model of yours is from the reference, tensor by tensor.\
"""
OTHER_TFLITE = """\
## Other operators of TensorFlow Lite

TensorFlow Lite Micro does not have them; their meaning is that of TensorFlow Lite's reference kernels.\
"""
ONNX = """\
## ONNX

[models.md](models.md) tells which operators become integer ones in quantised models, and how they round.
*untested* is what the importer reads without any test of ours. Shapes, axes and the like must be constants.\
"""
COLUMNS = ("int8", "int16", "uint8", "float32")
HYBRID = ("float32", "int8", "float32")


def operators() -> str:
    """The page, without its title and the notice that it is made."""
    micro = tflite_micro()
    known = by_tflite_name()
    count = sum(name in known for name in micro)
    title = f"## TensorFlow Lite Micro\n\n{count} of its {len(micro)} operators."
    others = sorted(known.keys() - set(micro))
    return (
        "\n\n".join([INTRODUCTION, title, _table(micro), OTHER_TFLITE, _table(others), ONNX, _onnx()]) + "\n"
    )


def tflite_micro() -> list[str]:
    """What TensorFlow Lite Micro has (tensorflow/lite/micro/micro_mutable_op_resolver.h)."""
    return (FOLDER / "tflite_micro_operators.txt").read_text().split()


def _table(names: Sequence[str]) -> str:
    header = ["| operator | " + " | ".join([*COLUMNS, "hybrid", "other, exact"]) + " |", "|---" * 7 + "|"]
    rows = [f"| {name.removeprefix('CUSTOM:')} | {' | '.join(_cells(name))} |" for name in names]
    return "\n".join([*header, *rows])


def _cells(name: str) -> list[str]:
    operator = by_tflite_name().get(name)
    combinations = taken_combinations(operator, name) if operator is not None else ()
    columns: dict[str, set[str]] = {}
    for combination in combinations:
        columns.setdefault(_column(combination), set()).add(_exactness(combination, combinations))
    other = ", ".join(sorted(columns.keys() - {*COLUMNS, "hybrid"}))
    return [*(_worst(columns.get(column, set())) for column in (*COLUMNS, "hybrid")), other or "-"]


def _column(combination: tuple[str, ...]) -> str:
    """The dtype of the first input that is no mere condition."""
    if combination == HYBRID:
        return "hybrid"
    return next((dtype for dtype in combination if dtype != "bool"), "bool")


def _exactness(combination: tuple[str, ...], combinations: Combinations) -> str:
    return "1e-5" if combination[-1].startswith("float") and combinations != MOVED else "exact"


def _worst(found: set[str]) -> str:
    return "-" if not found else "1e-5" if "1e-5" in found else "exact"


def _onnx() -> str:
    schemas = onnx.defs.get_all_schemas()
    names = {schema.name for schema in schemas if schema.domain == "" and not schema.deprecated}
    tested = _tested_onnx()
    rows = [f"| {name} | {_onnx_cell(name, tested)} |" for name in sorted({*names, *INTEGER_OPERATORS})]
    return "\n".join(["| operator | |", "|---|---|", *rows])


def _tested_onnx() -> set[str]:
    """The operators that models.md lists; tests hold models of them against onnxruntime."""
    section = (FOLDER / "models.md").read_text().split("### Operators")[1].split("-->")[1]
    return set(re.findall(r"\w+", section.split("\n\n")[0]))


def _onnx_cell(name: str, tested: set[str]) -> str:
    try:
        check_operator(helper.make_node(name, ["x"], ["y"]))
    except Unsupported as fault:
        return f"-: {fault.message}"
    return "1e-5" if name in tested else "untested"
