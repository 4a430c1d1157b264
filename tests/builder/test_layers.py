"""Models with every layer as an output, and the `.npz` files that such a comparison reads."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder import npz
from builder.importers import ONNX, TENSORFLOW_LITE, read_signature
from builder.layers import computed_layers, read_inputs, recorded_layers, with_layers
from builder.npz import read_arrays
from container.errors import CompileError, UsageError
from container.tensors import Quantization
from examples.tflite_writer import Graph
from runefile.pipeline import ModelFile
from runefile.signatures import ModelPort

HALF = Quantization((0.5,), (0,))


def two_additions() -> ModelFile:
    """y = (x + x) + x; tensors 0, 1 and 2."""
    graph = Graph("two")
    x = graph.input("x", (1, 4), "int8", HALF)
    middle = graph.tensor("middle", (1, 4), "int8", HALF)
    y = graph.tensor("y", (1, 4), "int8", HALF)
    graph.operator("ADD", [x, x], [middle])
    graph.operator("ADD", [middle, x], [y])
    graph.output(y)
    return ModelFile("two.tflite", graph.to_bytes(), TENSORFLOW_LITE)


def quantized_onnx() -> ModelFile:
    """x -> QuantizeLinear -> DequantizeLinear -> Relu -> y."""
    make = onnx.helper
    scale = onnx.numpy_helper.from_array(np.array(0.5, "float32"), "scale")
    zero = onnx.numpy_helper.from_array(np.array(0, "int8"), "zero")
    nodes = [
        make.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        make.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        make.make_node("Relu", ["d"], ["y"]),
    ]
    ports = [make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3]) for name in ("x", "y")]
    graph = make.make_graph(nodes, "g", ports[:1], ports[1:], [scale, zero])
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
    return ModelFile("q.onnx", model.SerializeToString(), ONNX)


def ports_of(model: ModelFile) -> tuple[ModelPort, ...]:
    return read_signature(model.data, model.file, model.format).inputs


def saved(folder: Path, **arrays: object) -> Path:
    file = folder / "arrays.npz"
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file


def test_every_tensor_becomes_an_output() -> None:
    layered = with_layers(two_additions())
    assert [(layer.node, layer.operator, layer.tensor) for layer in layered.layers] == [
        (0, "ADD", "middle"),
        (1, "ADD", "y"),
    ]
    assert layered.outputs == (1,)
    signature = read_signature(layered.model.data, "two.tflite", TENSORFLOW_LITE)
    assert [port.name for port in signature.outputs] == ["middle", "y"]


def test_the_reference_computes_every_layer() -> None:
    layers, engine = computed_layers(with_layers(two_additions()), [np.array([[1, 2, 60, -60]], "int8")])
    assert engine.startswith("tflite-micro ")
    assert [layers[k].tolist() for k in (0, 1)] == [[[2, 4, 120, -120]], [[3, 6, 127, -128]]]


def test_of_quantised_onnx_graphs_the_integers_and_the_outputs_are_layers() -> None:
    layered = with_layers(quantized_onnx())
    assert [layer.tensor for layer in layered.layers] == ["q", "y"]
    layers, engine = computed_layers(layered, [np.array([[-1.0, 0.6, 2.0]], "float32")])
    assert engine.startswith("onnxruntime ")
    assert layers[0].tolist() == [[-2, 1, 4]]
    assert layers[1].tolist() == [[0.0, 0.5, 2.0]]


def test_a_model_without_operators_has_no_layers() -> None:
    graph = Graph("none")
    graph.output(graph.input("x", (1,), "int8", HALF))
    with pytest.raises(CompileError, match="no operator computes a tensor"):
        with_layers(ModelFile("none.tflite", graph.to_bytes(), TENSORFLOW_LITE))


def test_recorded_layers_are_found_by_number_and_by_name(tmp_path: Path) -> None:
    first, second = np.array([[2]], "int8"), np.array([[3]], "int8")
    file = saved(tmp_path, **{"000|ADD|1": first, "y": second})
    found, doubtful = recorded_layers(file, with_layers(two_additions()))
    assert {number: values.tolist() for number, values in found.items()} == {0: [[2]], 1: [[3]]}
    assert doubtful == set()


def test_a_recorded_tensor_that_was_overwritten_is_doubtful(tmp_path: Path) -> None:
    values = np.array([[3, 6, 9, 12]], "int8")
    file = saved(tmp_path, **{"000|ADD|1": values, "001|ADD|2": values})
    _, doubtful = recorded_layers(file, with_layers(two_additions()))
    assert doubtful == {0}


def test_a_recording_of_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none of its arrays is a layer of two\.tflite"):
        recorded_layers(saved(tmp_path, other=np.zeros(3)), with_layers(two_additions()))


@pytest.mark.parametrize("name", ["x", "in0"])
def test_inputs_are_found_by_name_and_by_number(tmp_path: Path, name: str) -> None:
    samples = np.arange(8, dtype="int8").reshape(2, 4)
    (value,) = read_inputs(saved(tmp_path, **{name: samples}), ports_of(two_additions()), 1)
    assert value.tolist() == [[4, 5, 6, 7]]


def test_a_single_sample_needs_no_further_axis(tmp_path: Path) -> None:
    (value,) = read_inputs(saved(tmp_path, in0=np.arange(4, dtype="int8")), ports_of(two_additions()), 0)
    assert value.tolist() == [[0, 1, 2, 3]]


def test_samples_may_have_an_array_each(tmp_path: Path) -> None:
    file = saved(tmp_path, in0_0=np.zeros((1, 4), "int8"), in0_1=np.ones((1, 4), "int8"))
    (value,) = read_inputs(file, ports_of(two_additions()), 1)
    assert value.tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"other": np.zeros((1, 4), "int8")}, "no array for input 0 of the model, 'x'"),
        ({"x": np.zeros((1, 4))}, "array 'x' is float64, expected int8"),
        ({"x": np.zeros((1, 5), "int8")}, r"array 'x' is \[1, 5\], expected \[1, 4\] or N of them"),
        ({"x": np.zeros((), "int8")}, r"array 'x' is \[\], expected \[1, 4\] or N of them"),
        ({"x": np.zeros((3, 1, 4), "int8")}, "array 'x' has 3 samples, number 3 is asked for"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read_inputs(saved(tmp_path, **arrays), ports_of(two_additions()), 3)


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 200))
def test_damaged_archives_are_refused(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int, cut: int
) -> None:
    file = tmp_path_factory.mktemp("npz") / "damaged.npz"
    np.savez(file, x=np.arange(10))
    data = file.read_bytes()
    file.write_bytes(data[:at] + junk + data[at + cut :])
    with contextlib.suppress(UsageError):
        assert all(isinstance(values, np.ndarray) for values in read_arrays(file).values())


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "MAXIMUM_BYTES", 1000)
    assert read_arrays(saved(tmp_path, x=np.zeros(800, "int8")))["x"].size == 800
    with pytest.raises(UsageError, match=r"its arrays take 1,128 bytes, more than 1,000"):
        read_arrays(saved(tmp_path, x=np.zeros(1000, "int8")))
