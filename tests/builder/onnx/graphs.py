"""Small ONNX models made in the tests, and what onnxruntime and we make of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from builder.importers.onnx_file import read_model
from builder.importers.onnx_graph import import_graph
from builder.passes import whole_and_integer_operators
from container.abi import Profile
from tests.builder.model_runs import model_pipeline
from tests.builder.support import Array, Sample, container_of, run_container

OPSET = 17


class Graph:
    """Collects nodes, constants and ports; `node` returns the name of its only output."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self.shapes: list[tuple[int, ...]] = []
        """Of the inputs, without sizes that are names."""

    def input(self, shape: Sequence[int | str], dtype: int = TensorProto.FLOAT) -> str:
        name = f"input_{len(self._inputs)}"
        self.shapes.append(tuple(size for size in shape if isinstance(size, int)))
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def constant(self, values: Any, dtype: str = "float32") -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], domain=domain, **attributes))
        return name

    def nodes(self, operator: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """The names of the `count` outputs of one node; an input may be left out as ``."""
        names = [f"{operator.lower()}_{len(self._nodes)}_{k}" for k in range(count)]
        self._nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names

    def output(self, name: str, dtype: int = TensorProto.FLOAT, shape: Sequence[int] | None = None) -> None:
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def quantized(self, value: str, scale: float, zero: int, dtype: str = "int8") -> str:
        """The value through QuantizeLinear and DequantizeLinear."""
        parameters = self.constant(scale), self.constant(zero, dtype)
        return self.node("DequantizeLinear", self.node("QuantizeLinear", value, *parameters), *parameters)

    def weights(self, values: Array, scales: Any, axis: int = 0) -> str:
        """Integers as DequantizeLinear makes reals of them, with zero points of zero."""
        zeros = np.zeros_like(np.asarray(scales), values.dtype)
        dtype = str(values.dtype)
        inputs = self.constant(values, dtype), self.constant(scales), self.constant(zeros, dtype)
        return self.node("DequantizeLinear", *inputs, axis=axis)

    def proto(self) -> Any:
        graph = helper.make_graph(self._nodes, "test", self._inputs, self._outputs, self._constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)

    def model(self) -> bytes:
        """The model, with the shapes of its outputs inferred by ONNX."""
        return bytes(onnx.shape_inference.infer_shapes(self.proto()).SerializeToString())


def run_onnxruntime(model: bytes, samples: Sequence[Sample]) -> list[list[Array]]:
    """Outputs of each sample, without graph optimisations: what the file says."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]
    return [
        [np.asarray(value) for value in session.run(None, dict(zip(names, sample, strict=True)))]
        for sample in samples
    ]


def run_ours(model: bytes, samples: Sequence[Sample]) -> dict[Profile, list[list[Array]]]:
    """Outputs of each sample in each profile."""
    container = container_of(model_pipeline(model, "model.onnx"))
    return {profile: run_container(container, profile, samples) for profile in container.modules}


def operators(model: bytes) -> list[str]:
    """The operators that a model is rewritten to, in order, without the prefix of ours."""
    module, problems = import_graph(read_model(model, "model.onnx"))
    assert problems == []
    function = whole_and_integer_operators(module)["main"]
    calls = [binding.value for block in function.body.blocks for binding in block.bindings]
    return [str(call.op.name).removeprefix("rune.") for call in calls if hasattr(call, "op")]


def assert_close_to_onnxruntime(model: bytes, samples: Sequence[Sample], tolerance: float = 1e-5) -> None:
    """Floats within `tolerance` of the output's largest magnitude, integers equal."""
    expected = run_onnxruntime(model, samples)
    for profile, found in run_ours(model, samples).items():
        for ours, theirs in zip(found, expected, strict=True):
            for port, (actual, wanted) in enumerate(zip(ours, theirs, strict=True)):
                bound = tolerance * max(1e-30, float(np.abs(wanted).max())) if wanted.dtype.kind == "f" else 0
                message = f"{profile}, output {port}"
                np.testing.assert_allclose(actual, wanted, rtol=0, atol=bound, err_msg=message)


def normal_samples(shapes: Sequence[Sequence[int]], count: int = 3, seed: int = 0) -> list[list[Array]]:
    generator = np.random.default_rng(seed)
    return [[generator.normal(0, 1, shape).astype("float32") for shape in shapes] for _ in range(count)]
