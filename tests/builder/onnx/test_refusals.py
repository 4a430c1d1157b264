"""ONNX models that cannot be compiled: what is said of them, and that damage never ends in a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from builder.build import build_container
from builder.importers import detect_format, read_signature
from builder.importers.onnx_file import MAXIMUM_NODES
from builder.importers.ports import MAXIMUM_ELEMENTS
from container.abi import Profile
from container.errors import CompileError
from container.tensors import ElementType
from tests.builder.model_runs import model_pipeline
from tests.builder.onnx.graphs import Graph
from tests.builder.support import NO_GOLDEN
from tests.shared import shared_path

INTEGER_FORM = "this form of integer operator is not supported"
UNKNOWN = "the operator of domain 'org.example' is unknown"
ONLY_WHEN_RUNNING = "what it computes has a shape, or a course, that is known only when running"


def compile_model(data: bytes) -> None:
    build_container(model_pipeline(data, "model.onnx"), profiles=[Profile.MCU], golden=NO_GOLDEN)


def refusal(proto: Any) -> CompileError:
    with pytest.raises(CompileError) as caught:
        compile_model(proto.SerializeToString())
    return caught.value


def small_model() -> Any:
    graph = Graph()
    x = graph.input((1, 4))
    graph.output(graph.node("Relu", graph.node("MatMul", x, graph.constant(np.ones((4, 2))))))
    return onnx.shape_inference.infer_shapes(graph.proto())


def test_ports_are_those_that_the_model_declares() -> None:
    """A quantised model declares floats; the batch is one; weights among the inputs are none."""
    signature = read_signature(
        shared_path("models/mlonmcu/micro_kws_m_static_qdq.onnx").read_bytes(), "kws.onnx", None
    )
    assert [(port.name, str(port.type)) for port in signature.inputs] == [
        ("serving_default_input:0", "F32[1,1960]")
    ]
    assert [(port.name, str(port.type)) for port in signature.outputs] == [
        ("StatefulPartitionedCall:0", "F32[1,10]")
    ]
    digits = read_signature(shared_path("models/onnx/mnist-8.onnx").read_bytes(), "digits.onnx", "onnx")
    assert [(port.name, port.type.element, port.type.shape) for port in digits.inputs] == [
        ("Input3", ElementType.F32, (1, 1, 28, 28))
    ]


def test_all_operators_that_cannot_be_compiled_are_named_at_once() -> None:
    graph = Graph()
    x = graph.input((1, 4))
    y = graph.node("QLinearReduceMean", x, domain="com.microsoft")
    z = graph.node("Frobnicate", x, domain="org.example")
    graph.output(graph.node("Add", graph.node("NonZero", y), graph.node("Relu", z)))
    proto = graph.proto()
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("add_4", TensorProto.FLOAT, [1, 4]))
    error = refusal(proto)
    assert error.message.splitlines() == [
        "stage `model`: model.onnx cannot be compiled:",
        f"  operator QLinearReduceMean (node 0, output 'qlinearreducemean_0'): {INTEGER_FORM}",
        f"  operator Frobnicate (node 1, output 'frobnicate_1'): {UNKNOWN}",
        f"  operator NonZero (node 2, output 'nonzero_2'): {ONLY_WHEN_RUNNING}",
    ]
    assert error.hint is not None
    assert "quant_format=QuantFormat.QDQ" in error.hint


def test_an_operator_without_a_kernel_is_named_by_its_node() -> None:
    graph = Graph()
    y = graph.node("CumSum", graph.node("Neg", graph.input((1, 4))), graph.constant(1, "int64"))
    graph.output(y)
    error = refusal(onnx.shape_inference.infer_shapes(graph.proto()))
    assert error.message.splitlines()[1].startswith("  operator CumSum (node 1, output 'cumsum_1'): ")


def test_dynamic_sizes_are_named_with_the_cure() -> None:
    graph = Graph()
    graph.output(graph.node("Relu", graph.input(("batch", "time", 40))))
    error = refusal(graph.proto())
    assert error.message == (
        "model.onnx: dimension 1 (time) of input 'input_0' is dynamic: every size must be fixed and positive"
    )
    assert error.hint is not None
    assert "make_dynamic_shape_fixed --dim_param time --dim_value N model.onnx" in error.hint


def external(proto: Any) -> None:
    proto.graph.initializer[0].data_location = TensorProto.EXTERNAL


def enormous_constant(proto: Any) -> None:
    proto.graph.initializer[0].dims[:] = [1 << 40, 1 << 40]


def negative_constant(proto: Any) -> None:
    proto.graph.initializer[0].dims[:] = [-4, -2]


def too_little_data(proto: Any) -> None:
    proto.graph.initializer[0].raw_data = b"1234"


def cycle(proto: Any) -> None:
    proto.graph.node[0].input[0] = proto.graph.node[1].output[0]


def missing_output(proto: Any) -> None:
    proto.graph.output[0].name = "nowhere"


def no_outputs(proto: Any) -> None:
    del proto.graph.output[:]


def strings(proto: Any) -> None:
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING


def half_precision(proto: Any) -> None:
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def no_tensor(proto: Any) -> None:
    proto.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = TensorProto.FLOAT


def no_shape(proto: Any) -> None:
    proto.graph.input[0].type.tensor_type.ClearField("shape")


def enormous_input(proto: Any) -> None:
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = MAXIMUM_ELEMENTS + 1


def enormous_result(proto: Any) -> None:
    shape = onnx.numpy_helper.from_array(np.array([1 << 20, 1 << 20]), "shape")
    proto.graph.initializer.append(shape)
    proto.graph.node[1].CopyFrom(helper.make_node("ConstantOfShape", ["shape"], proto.graph.node[1].output))
    del proto.graph.value_info[:]
    del proto.graph.output[0].type.tensor_type.shape.dim[:]


def many_nodes(proto: Any) -> None:
    proto.graph.node.extend([proto.graph.node[0]] * MAXIMUM_NODES)


def nested_graphs(proto: Any) -> None:
    inner = proto.graph
    for _ in range(20):
        node = inner.node.add(op_type="If", input=["input_0"], output=["x"])
        inner = node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH).g


def old_version(proto: Any) -> None:
    proto.ir_version = 1


FAULTS: dict[Callable[[Any], None], str] = {
    external: "model.onnx: the data of tensor 'constant_0' lies in another file",
    enormous_constant: r"damaged ONNX model: tensor 'constant_0' has the shape \[1099511627776, 10995",
    negative_constant: r"damaged ONNX model: tensor 'constant_0' has the shape \[-4, -2\]",
    too_little_data: "damaged ONNX model: tensor 'constant_0' has 4 bytes of data, its shape needs 32",
    cycle: r"damaged ONNX model: node 0 \(MatMul\) takes 'relu_1', which nothing before it computes",
    missing_output: "damaged ONNX model: nothing computes the output 'nowhere'",
    no_outputs: "the model has no outputs",
    strings: "tensor 'input_0' is STRING, which no stage can take or give",
    half_precision: "tensor 'input_0' is float16, which no stage can take or give",
    no_tensor: "input 'input_0' is no tensor but a sequence, map or optional",
    no_shape: "input 'input_0' has no shape",
    enormous_input: r"tensor 'input_0' has the shape \[1, 268435457\]; at most 268435456 elements",
    enormous_result: r"ConstantOfShape \(node 1, output 'relu_1'\): its result would have 1099511627776",
    many_nodes: "a graph of 20002 nodes; at most 20000 are compiled",
    nested_graphs: "graphs are nested more than 8 deep",
    old_version: "no ONNX model of IR version 3 or later",
}


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda spoil: str(spoil.__name__))
def test_a_broken_model_is_refused_with_its_fault(spoil: Callable[[Any], None]) -> None:
    proto = small_model()
    spoil(proto)
    with pytest.raises(CompileError, match=FAULTS[spoil]):
        compile_model(proto.SerializeToString())


def test_a_model_is_known_by_its_fields() -> None:
    data = small_model().SerializeToString()
    assert detect_format(data, "model.onnx") == "onnx"
    with pytest.raises(CompileError, match="not a model that can be compiled"):
        detect_format(b"\x08\x08\x12\x04text", "model.onnx")


@st.composite
def mutations(draw: st.DrawFn, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        damaged[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    end = draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))
    return bytes(damaged[:end])


def test_reading_a_mutated_model_ends_in_a_signature_or_a_clear_error() -> None:
    """Of a model whose bytes are mostly structure."""
    data = without_weights(shared_path("models/mlperf_results/kai_jiang_kws_qdq.onnx").read_bytes())
    refused: list[str] = []

    @settings(max_examples=300)
    @given(mutations(data))
    def check(damaged: bytes) -> None:
        try:
            read_signature(damaged, "model.onnx", None)
        except CompileError as error:
            refused.append(error.message)

    check()
    assert refused
    assert all(message.startswith("model.onnx: ") for message in refused)


def test_compiling_a_mutated_model_ends_in_a_container_or_a_clear_error() -> None:
    graph = Graph()
    x = graph.quantized(graph.input((1, 2, 5, 5)), 0.1, 0)
    w = graph.weights(np.ones((2, 2, 3, 3), "int8"), np.array([0.1, 0.2], "float32"))
    y = graph.quantized(graph.node("Conv", x, w, pads=[1, 1, 1, 1]), 0.1, 0)
    graph.output(graph.node("Flatten", graph.node("MaxPool", y, kernel_shape=[2, 2])))
    data = graph.model()

    @settings(max_examples=60)
    @given(mutations(data))
    def check(damaged: bytes) -> None:
        with contextlib.suppress(CompileError):
            compile_model(damaged)

    check()


def without_weights(data: bytes) -> bytes:
    """The model with its large constants emptied, so that mutations hit what matters."""
    proto = onnx.load_model_from_string(data)
    for tensor in proto.graph.initializer:
        if len(tensor.raw_data) > 64:
            tensor.raw_data = b""
    return bytes(proto.SerializeToString())
