"""Float operators, alone and in the company that rewrites look for, against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from tests.builder.onnx.graphs import (
    Graph,
    assert_close_to_onnxruntime,
    normal_samples,
    operators,
    run_ours,
)
from tests.builder.support import Array

GENERATOR = np.random.default_rng(7)


def values(*shape: int) -> Array:
    return GENERATOR.normal(0, 1, shape).astype("float32")


@dataclass(frozen=True)
class Convolution:
    """Parameters of one convolution; `multiplier` filters for each of `groups`."""

    size: tuple[int, int]
    depth: int
    groups: int
    multiplier: int
    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    padding: str | tuple[int, int, int, int]
    activation: str | None

    def attributes(self) -> dict[str, Any]:
        padding = {"auto_pad": self.padding} if isinstance(self.padding, str) else {"pads": self.padding}
        return {"strides": self.strides, "dilations": self.dilations, "group": self.groups, **padding}


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    small = st.integers(1, 3)
    kernel = draw(st.tuples(small, small))
    pads = st.tuples(*(st.integers(0, extent - 1) for extent in kernel * 2))
    padding = draw(st.one_of(pads, st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"])))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    return Convolution(
        size=draw(st.tuples(st.integers(7, 9), st.integers(7, 9))),
        depth=groups * draw(st.sampled_from([1, 2])),
        groups=groups,
        multiplier=draw(small),
        kernel=kernel,
        strides=draw(st.tuples(small, small)),
        # onnxruntime has no dilation where the padding is chosen automatically.
        dilations=(1, 1) if isinstance(padding, str) else draw(st.sampled_from([(1, 1), (2, 1), (2, 3)])),
        padding=padding,
        activation=draw(st.sampled_from([None, "Relu", "Clip"])),
    )


@settings(max_examples=2, phases=[Phase.generate])
@given(st.lists(convolutions(), min_size=16, max_size=16))
def test_convolutions(cases: list[Convolution]) -> None:
    graph, shapes = Graph(), []
    for case in cases:
        shapes.append((1, case.depth, *case.size))
        filters = case.groups * case.multiplier
        weights = values(filters, case.depth // case.groups, *case.kernel)
        x = graph.input(shapes[-1])
        parameters = graph.constant(weights), graph.constant(values(filters))
        y = graph.node("Conv", x, *parameters, **case.attributes())
        if case.activation == "Clip":
            y = graph.node("Clip", y, graph.constant(0.0), graph.constant(6.0))
        elif case.activation is not None:
            y = graph.node(case.activation, y)
        graph.output(y)
    assert_close_to_onnxruntime(graph.model(), normal_samples(shapes))


def convolution_and_normalisation(graph: Graph) -> str:
    y = graph.node("Conv", graph.input((1, 2, 6, 5)), graph.constant(values(3, 2, 3, 3)), pads=[1, 1, 1, 1])
    statistics = [graph.constant(v) for v in (values(3), values(3), values(3), np.abs(values(3)) + 0.1)]
    return graph.node("Relu", graph.node("BatchNormalization", y, *statistics, epsilon=1e-3))


def gemm_with_factors(graph: Graph) -> str:
    inputs = graph.input((2, 7)), graph.constant(values(7, 4)), graph.constant(values(4))
    return graph.node("Gemm", *inputs, alpha=0.5, beta=-2.0)


def flattened_convolution(graph: Graph) -> str:
    y = graph.node("Conv", graph.input((1, 2, 6, 5)), graph.constant(values(3, 2, 3, 3)))
    parameters = graph.constant(values(36, 4)), graph.constant(values(4))
    return graph.node("Gemm", graph.node("Flatten", y), *parameters)


def matrix_of_rows(graph: Graph) -> str:
    y = graph.node("MatMul", graph.input((2, 3, 5)), graph.constant(values(5, 4)))
    return graph.node("Sigmoid", graph.node("Add", y, graph.constant(values(4))))


def residual(graph: Graph) -> str:
    x = graph.input((1, 4, 5, 5))
    y = graph.node("Conv", x, graph.constant(values(4, 4, 3, 3)), pads=[1, 1, 1, 1])
    return graph.node("Relu", graph.node("Add", x, y))


def shared_convolution(graph: Graph) -> str:
    """Its result is used with and without the activation, so the two must not become one."""
    y = graph.node("Conv", graph.input((1, 2, 6, 5)), graph.constant(values(3, 2, 3, 3)))
    return graph.node("Add", graph.node("Relu", y), y)


def convolution_of_a_row(graph: Graph) -> str:
    y = graph.node("Conv", graph.input((1, 3, 20)), graph.constant(values(4, 3, 5)), strides=[2], pads=[2, 1])
    return graph.node("GlobalAveragePool", y)


def joined_branches(graph: Graph) -> str:
    x = graph.input((1, 2, 6, 6))
    branches = [graph.node("Conv", x, graph.constant(values(n, 2, 1, 1))) for n in (3, 2)]
    joined = graph.node("Concat", *branches, axis=1)
    return graph.node("MaxPool", joined, kernel_shape=[2, 2], strides=[2, 2])


def pooled_with_padding(graph: Graph) -> str:
    window: dict[str, Any] = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}
    x = graph.input((1, 2, 7, 6))
    plain = graph.node("AveragePool", x, **window)
    return graph.node("Add", plain, graph.node("AveragePool", x, count_include_pad=1, **window))


def softmax_of_an_inner_axis(graph: Graph) -> str:
    return graph.node("Softmax", graph.input((2, 3, 4)), axis=1)


CASES: dict[Callable[[Graph], str], tuple[list[tuple[int, ...]], list[str]]] = {
    convolution_and_normalisation: ([(1, 2, 6, 5)], ["relax.permute_dims", "conv2d", "relax.permute_dims"]),
    gemm_with_factors: ([(2, 7)], ["relax.multiply", "fully_connected"]),
    flattened_convolution: (
        [(1, 2, 6, 5)],
        ["relax.permute_dims", "conv2d", "relax.reshape", "fully_connected"],
    ),
    matrix_of_rows: ([(2, 3, 5)], ["relax.reshape", "fully_connected", "relax.sigmoid", "relax.reshape"]),
    residual: (
        [(1, 4, 5, 5)],
        ["relax.permute_dims", "conv2d", "relax.permute_dims", "relax.add", "relax.nn.relu"],
    ),
    shared_convolution: (
        [(1, 2, 6, 5)],
        ["relax.permute_dims", "conv2d", "relax.nn.relu", "relax.add", "relax.permute_dims"],
    ),
    convolution_of_a_row: (
        [(1, 3, 20)],
        [
            "relax.reshape",
            "relax.permute_dims",
            "conv2d",
            "relax.permute_dims",
            "relax.reshape",
            "relax.mean",
        ],
    ),
    joined_branches: (
        [(1, 2, 6, 6)],
        ["relax.permute_dims", "conv2d", "conv2d", "relax.concat", "max_pool2d", "relax.permute_dims"],
    ),
    pooled_with_padding: (
        [(1, 2, 7, 6)],
        ["relax.permute_dims", "average_pool2d", "relax.permute_dims", "relax.nn.avg_pool2d", "relax.add"],
    ),
    softmax_of_an_inner_axis: ([(2, 3, 4)], ["relax.nn.softmax"]),
}
"""A model, the shapes of its inputs, and what it becomes."""


@pytest.mark.parametrize("make", CASES, ids=lambda make: str(make.__name__))
def test_company_of_operators(make: Callable[[Graph], str]) -> None:
    shapes, expected = CASES[make]
    graph = Graph()
    graph.output(make(graph))
    assert operators(graph.model()) == expected
    assert_close_to_onnxruntime(graph.model(), normal_samples(shapes))


def test_shapes_are_constants() -> None:
    """Counting from the end, `Gather` asks for the size of what it gathers from."""
    graph = Graph()
    x = graph.input((2, 3))
    graph.output(graph.node("Shape", x), TensorProto.INT64)
    graph.output(graph.node("Gather", x, graph.constant([0, -1], "int64"), axis=1))
    assert_close_to_onnxruntime(graph.model(), normal_samples([(2, 3)]))


def test_functions_of_the_c_library() -> None:
    """Each over its domain, within a few units in the last place, in float64 of NumPy's."""
    generator = np.random.default_rng(1)
    plain, unit = generator.normal(0, 3, 200), generator.uniform(-1, 1, 200)
    domains = {
        **dict.fromkeys(("Sinh", "Cosh", "Asinh", "Atan", "Tan", "Tanh", "Sin", "Cos", "Exp", "Abs"), plain),
        **dict.fromkeys(("Atanh", "Acos", "Asin"), unit),
        "Acosh": 1 + np.abs(plain),
        "Log": np.abs(plain) + 1e-3,
        "Round": np.arange(-100, 100) / 2,
    }
    numpy_names = {"Asinh": "arcsinh", "Atan": "arctan", "Atanh": "arctanh", "Acos": "arccos"}
    numpy_names |= {"Asin": "arcsin", "Acosh": "arccosh", "Round": "rint"}
    graph = Graph()
    for operator in domains:
        graph.output(graph.node(operator, graph.input((200,))))
    sample = [values.astype("float32") for values in domains.values()]
    for (found,) in run_ours(graph.model(), [sample]).values():
        for operator, x, actual in zip(domains, sample, found, strict=True):
            exact = getattr(np, numpy_names.get(operator, operator.lower()))(x.astype("float64"))
            np.testing.assert_allclose(actual, exact, rtol=4e-7, atol=1e-30, err_msg=operator)


def test_many_small_operators() -> None:
    """What TVM's kernels compute, all of it in one model."""
    graph, image = Graph(), (1, 2, 4, 6)
    plain = ("Ceil", "Floor", "Reciprocal", "Neg", "Erf", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu")
    for operator in (*plain, "Softplus", "Dropout", "Identity", "LogSoftmax"):
        graph.output(graph.node(operator, graph.input(image)))
    x = graph.input(image)
    for operator in ("ReduceMax", "ReduceMin", "ReduceMean"):
        graph.output(graph.node(operator, x, axes=[1, -1], keepdims=0))
    graph.output(graph.node("ReduceSum", x, graph.constant([2], "int64")))
    for operator in ("ArgMax", "ArgMin"):
        graph.output(graph.node(operator, x, axis=3), TensorProto.INT64)
    scale, offset = graph.constant(values(6)), graph.constant(values(6))
    graph.output(graph.node("LayerNormalization", x, scale, offset))
    scale, offset = graph.constant(values(2)), graph.constant(values(2))
    graph.output(graph.node("InstanceNormalization", x, scale, offset))
    graph.output(graph.node("GlobalMaxPool", x))
    graph.output(graph.node("PRelu", x, graph.constant(values(2, 1, 1))))
    graph.output(graph.node("Pow", graph.node("Abs", x), graph.constant(1.7)))
    graph.output(graph.node("Pad", x, graph.constant([0, 0, 1, 2, 0, 0, 0, 1], "int64"), graph.constant(0.5)))
    graph.output(graph.node("Tile", x, graph.constant([1, 2, 1, 3], "int64")))
    graph.output(graph.node("Expand", graph.node("GlobalMaxPool", x), graph.constant(image, "int64")))
    graph.output(graph.node("ConstantOfShape", graph.node("Shape", x)))
    graph.output(graph.node("Where", graph.node("Less", x, graph.constant(0.0)), graph.constant(1.0), x))
    graph.output(graph.node("Cast", graph.node("Cast", x, to=TensorProto.INT32), to=TensorProto.FLOAT))
    graph.output(graph.node("ConvTranspose", x, graph.constant(values(2, 3, 3, 3)), strides=[2, 1]))
    graph.output(graph.node("Resize", x, "", graph.constant([1.0, 1.0, 2.0, 2.0]), mode="nearest"))
    assert_close_to_onnxruntime(graph.model(), normal_samples(graph.shapes))


def test_functions_in_double_precision() -> None:
    """TVM's kernels have the names of the C functions that they call."""
    graph = Graph()
    x = graph.input((2, 5), TensorProto.DOUBLE)
    for operator in ("Exp", "Sin", "Floor", "Ceil", "Sqrt", "Log"):
        graph.output(graph.node(operator, x), TensorProto.DOUBLE)
    samples = [[GENERATOR.uniform(0.1, 5, (2, 5))]]
    assert_close_to_onnxruntime(graph.model(), samples, tolerance=1e-14)
