"""Tensors made of shapes and single values, constants that operators compute from constants, and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tflite

from builder.assemble import assemble
from builder.operators import by_name
from container.errors import CompileError
from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro, model_pipeline, run_ours
from tests.builder.operators.mixtures import Shape, integers
from tests.builder.support import Array, container_of

QUANTIZATION = Quantization((0.5,), (-7,))


def outputs(graph: Graph, *inputs: Array) -> list[list[Any]]:
    """Every output as a list; both profiles agree."""
    simd, mcu = (results[0] for results in run_ours(graph.to_bytes(), [inputs]).values())
    assert [value.tobytes() for value in simd] == [value.tobytes() for value in mcu]
    return [value.tolist() for value in simd]


def calls(graph: Graph) -> list[str]:
    """Names of the operators that are left to do at run time."""
    main = assemble(model_pipeline(graph.to_bytes()))["main"]
    names = [binding.value for block in main.body.blocks for binding in block.bindings]
    return [value.op.name for value in names if hasattr(value, "op") and value.op.name in by_name()]


def operator(
    graph: Graph, builtin: str, operands: Sequence[int], shape: Shape, dtype: str, **options: Any
) -> int:
    """Adds an operator whose one result is an output of the model."""
    quantization = QUANTIZATION if dtype == "int8" else None
    y = graph.tensor("y", shape, dtype, quantization)
    graph.operator(builtin, operands, [y], **options)
    graph.output(y)
    return y


DTYPES = ("int8", "int32", "float32")


def test_shapes_fills_and_zeros_as_in_the_reference() -> None:
    graph, sample = Graph("shapes"), []
    for dtype in DTYPES:
        quantization = QUANTIZATION if dtype == "int8" else None
        x = graph.input("x", (2, 3), dtype, quantization)
        value = graph.input("value", (), dtype, quantization)
        operator(graph, "SHAPE", [x], (2,), "int32", out_type=int(tflite.TensorType.INT32))
        operator(graph, "ZEROS_LIKE", [x], (2, 3), dtype)
        operator(graph, "FILL", [graph.constant("dims", integers([3, 2])), value], (3, 2), dtype)
        operator(graph, "REVERSE_V2", [x, graph.constant("axes", integers([0, 1]))], (2, 3), dtype)
        sample += [np.arange(-3, 3).reshape(2, 3).astype(dtype), np.array(9, dtype)]
    shapes = [graph.constant("a", integers([2, 1, 3])), graph.constant("b", integers([4, 1]))]
    operator(graph, "BROADCAST_ARGS", shapes, (3,), "int32")
    assert_equals_tflite_micro(graph.to_bytes(), [sample])


def test_borders_of_a_value_of_the_model() -> None:
    graph = Graph("pad")
    borders = graph.constant("p", integers([[1, 0], [0, 2]]))
    for dtype in DTYPES:
        quantization = QUANTIZATION if dtype == "int8" else None
        x = graph.input("x", (1, 2), dtype, quantization)
        value = graph.constant("v", np.array([5], dtype), quantization)
        operator(graph, "PADV2", [x, borders, value], (2, 4), dtype)
    found = outputs(graph, *(np.array([[1, 2]], dtype) for dtype in DTYPES))
    assert found == [[[5, 5, 5, 5], [1, 2, 5, 5]]] * 3


def test_a_tile_repeats_the_whole() -> None:
    graph = Graph("tile")
    x = graph.input("x", (2, 2), "int32")
    operator(graph, "TILE", [x, graph.constant("times", integers([1, 2]))], (2, 4), "int32")
    assert outputs(graph, integers([[1, 2], [3, 4]])) == [[[1, 2, 1, 2], [3, 4, 3, 4]]]


def test_products_and_new_axes_that_the_reference_has_not() -> None:
    graph = Graph("natural")
    x = graph.input("x", (2, 2), "float32")
    operator(graph, "REDUCE_PROD", [x, graph.constant("axes", integers([1]))], (2,), "float32")
    bounds = [graph.constant("bound", integers(values)) for values in ([0, 0, 1], [0, 0, 2], [1, 1, 1])]
    # x[newaxis, ..., 1:2]
    operator(graph, "STRIDED_SLICE", [x, *bounds], (1, 2, 1), "float32", new_axis_mask=1, ellipsis_mask=2)
    values = np.array([[2, 3], [4, 5]], "float32")
    assert outputs(graph, values) == [[6, 20], [[[3], [5]]]]


@pytest.mark.parametrize("builtin", ["REDUCE_ANY", "REDUCE_ALL"])
def test_truths_are_moved_and_reduced(builtin: str) -> None:
    """Rows of x > 0, turned around, whether any or all are true; as 0 and 1."""
    graph = Graph("truths")
    x, zero = graph.input("x", (3, 2), "float32"), graph.constant("zero", np.zeros(1, "float32"))
    positive, turned = graph.tensor("p", (3, 2), "bool"), graph.tensor("t", (2, 3), "bool")
    truth = graph.tensor("r", (3,), "bool")
    graph.operator("GREATER", [x, zero], [positive])
    graph.operator("TRANSPOSE", [positive, graph.constant("axes", integers([1, 0]))], [turned])
    graph.operator(builtin, [turned, graph.constant("axis", integers([0]))], [truth])
    types = {"in_data_type": int(tflite.TensorType.BOOL), "out_data_type": int(tflite.TensorType.INT32)}
    operator(graph, "CAST", [truth], (3,), "int32", **types)
    expected = {"REDUCE_ANY": [0, 1, 1], "REDUCE_ALL": [0, 0, 1]}[builtin]
    assert outputs(graph, np.array([[-1, -1], [-1, 1], [1, 1]], "float32")) == [expected]


def test_what_follows_from_shapes_is_computed_when_building() -> None:
    """x.reshape(1, -1)[..., :n] the way exporters write it: a chain of integers that are all known."""
    graph = Graph("folded")
    x = graph.input("x", (2, 6), "float32")
    shape, last = graph.tensor("shape", (2,), "int32"), graph.tensor("last", (), "int32")
    graph.operator("SHAPE", [x], [shape])
    bounds = [graph.constant("bound", integers(values)) for values in ([1], [2], [1])]
    graph.operator("STRIDED_SLICE", [shape, *bounds], [last], shrink_axis_mask=1)
    target = graph.tensor("target", (3,), "int32")
    graph.operator("PACK", [graph.constant("two", np.array(2, "int32")), last, last], [target])
    y = graph.tensor("y", (2, 6, 6), "float32")
    column = graph.tensor("column", (2, 6, 1), "float32")
    graph.operator("RESHAPE", [x, graph.constant("c", integers([2, 6, 1]))], [column])
    graph.operator("BROADCAST_TO", [column, target], [y])
    graph.output(y)
    assert calls(graph) == ["rune.broadcast_to"]
    values = np.arange(12, dtype="float32").reshape(2, 6)
    assert outputs(graph, values) == [np.repeat(values[:, :, None], 6, 2).tolist()]


def test_constants_are_gathered_when_building() -> None:
    """A tensor of nines whose sizes are those of x, the second, the first and the second."""
    graph = Graph("gathered")
    x = graph.input("x", (2, 6), "float32")
    shape, sizes = graph.tensor("shape", (2,), "int32"), graph.tensor("sizes", (3,), "int32")
    graph.operator("SHAPE", [x], [shape])
    graph.operator("GATHER", [shape, graph.constant("i", integers([1, 0, 1]))], [sizes], axis=0)
    operator(graph, "FILL", [sizes, graph.constant("nine", np.array(9, "int32"))], (6, 2, 6), "int32")
    pair = graph.constant("pair", integers([[0], [1], [1]]))
    operator(graph, "GATHER_ND", [shape, pair], (3,), "int32")
    assert calls(graph) == []
    nines, picked = outputs(graph, np.zeros((2, 6), "float32"))
    assert np.array(nines).tolist() == np.full((6, 2, 6), 9).tolist()
    assert picked == [2, 6, 6]


def test_what_moves_nothing_costs_nothing() -> None:
    graph = Graph("views")
    x = graph.input("x", (1, 4, 1, 3), "float32")
    operator(graph, "TRANSPOSE", [x, graph.constant("axes", integers([2, 1, 0, 3]))], (1, 4, 1, 3), "float32")
    operator(graph, "PAD", [x, graph.constant("none", integers([[0, 0]] * 4))], (1, 4, 1, 3), "float32")
    operator(graph, "CONCATENATION", [x], (1, 4, 1, 3), "float32", axis=1)
    operator(graph, "UNPACK", [x], (4, 1, 3), "float32", num=1, axis=0)
    assert calls(graph) == []
    values = np.arange(12, dtype="float32")
    assert [np.ravel(value).tolist() for value in outputs(graph, values.reshape(1, 4, 1, 3))] == [
        values.tolist()
    ] * 4


REFUSED: dict[str, tuple[str, list[Any], Shape, dict[str, Any], str]] = {
    "slice": ("SLICE", [[0, 1], [2, 2]], (2, 2), {}, r"reach out of \[2, 2\]"),
    "stride": ("STRIDED_SLICE", [[0, 0], [1, 1], [0, 1]], (1, 1), {}, "a stride of 0"),
    "index": ("STRIDED_SLICE", [[5, 0], [6, 1], [1, 1]], (1,), {"shrink_axis_mask": 1}, "index 5"),
    "permutation": ("TRANSPOSE", [[0, 0]], (2, 2), {}, r"permutation \[0, 0\]"),
    "axis": ("CONCATENATION", [], (2, 2), {"axis": 2}, "axis 2 of a tensor with 2 dimensions"),
    "padding": ("PAD", [[[0, -1], [0, 0]]], (2, 1), {}, r"paddings \[0, -1, 0, 0\]"),
    "mirror": ("MIRROR_PAD", [[[0, 2], [0, 0]]], (4, 2), {}, "reach farther"),
    "shape": ("PAD", [[[1, 1], [0, 0]]], (3, 2), {}, r"is \[3, 2\], but from its inputs follows \[4, 2\]"),
    "broadcast": ("BROADCAST_TO", [[3, 2]], (3, 2), {}, r"\[2, 2\] does not broadcast to \[3, 2\]"),
    "blocks": ("SPACE_TO_BATCH_ND", [[4096], [[0, 4094]]], (8192, 1), {}, "4096 blocks"),
    "parts": ("UNPACK", [], (2,), {"num": 2, "axis": 1}, "2 elements along axis 1 into 1 outputs"),
    "reduced": ("SUM", [[2]], (2,), {}, "axis 2 of a tensor with 2 dimensions"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_nonsense_is_refused(name: str) -> None:
    builtin, operands, shape, options, message = REFUSED[name]
    graph = Graph("refused")
    x = graph.input("x", (2, 2), "float32")
    constants = [graph.constant("c", integers(values)) for values in operands]
    operator(graph, builtin, [x, *constants], shape, "float32", **options)
    with pytest.raises(CompileError, match=f"operator {builtin} .*{message}"):
        container_of(model_pipeline(graph.to_bytes()))


def test_uint8_that_older_engines_would_rescale_is_refused() -> None:
    graph = Graph("concatenation")
    scales = [Quantization((scale,), (3,)) for scale in (0.5, 0.25, 0.5)]
    a, b = (graph.input("x", (2,), "uint8", quantization) for quantization in scales[:2])
    y = graph.tensor("y", (4,), "uint8", scales[2])
    graph.operator("CONCATENATION", [a, b], [y], axis=0)
    graph.output(y)
    with pytest.raises(CompileError, match=r"scale 0.25, zero point 3\) would have to be rescaled"):
        container_of(model_pipeline(graph.to_bytes()))
