"""PyTorch's exported programs: against PyTorch itself, and files that mean harm."""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.engines import PyTorch, run_engine
from builder.importers import detect_format, read_signature
from builder.importers.torch import load_program
from builder.importers.torch_file import harmless_archive
from container.errors import CompileError
from tests.builder.model_runs import model_pipeline
from tests.builder.onnx.graphs import normal_samples
from tests.builder.support import container_of, run_container

torch = pytest.importorskip("torch")
nn = torch.nn
MODEL, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"
SAMPLES = "data/sample_inputs/model.pt"


class Two(nn.Module):  # type: ignore[misc, name-defined]
    """Subtracts, so that exchanged inputs show, and gives its outputs in a dict."""

    def forward(self, first: Any, second: Any) -> Any:
        return {"difference": first - second, "product": first.sum(1, keepdim=True) * second}


def cnn() -> Any:
    convolutions = nn.Conv2d(2, 8, 3, stride=2, padding=1), nn.Conv2d(8, 8, 3, padding=1, groups=8)
    normal = nn.BatchNorm2d(8)
    normal.running_mean.uniform_(-1, 1)
    normal.running_var.uniform_(0.5, 2)
    layers = (nn.ReLU(), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 5), nn.Softmax(1))
    return nn.Sequential(*convolutions, normal, *layers)


def mlp() -> Any:
    return nn.Sequential(nn.Linear(10, 16), nn.GELU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))


MODELS: dict[str, tuple[Callable[[], Any], list[tuple[int, ...]]]] = {
    "cnn": (cnn, [(1, 2, 16, 16)]),
    "mlp": (mlp, [(1, 10)]),
    "two inputs": (Two, [(3, 4), (3, 4)]),
}


def exported(module: Any, shapes: list[tuple[int, ...]], **options: Any) -> bytes:
    example = tuple(torch.ones(shape) for shape in shapes)
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(module.eval(), example, **options), buffer)
    return buffer.getvalue()


@functools.cache
def program(name: str) -> bytes:
    torch.manual_seed(1)
    make, shapes = MODELS[name]
    return exported(make(), shapes)


def changed(data: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """The archive with one part changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, change(content) if name.endswith("/" + part) else content)
    return buffer.getvalue()


def with_json(data: bytes, part: str, change: Callable[[Any], None]) -> bytes:
    def edit(content: bytes) -> bytes:
        value = json.loads(content)
        change(value)
        return json.dumps(value).encode()

    return changed(data, part, edit)


@pytest.mark.parametrize("name", MODELS)
def test_both_profiles_compute_what_pytorch_does(name: str) -> None:
    torch.manual_seed(1)
    make, shapes = MODELS[name]
    module = make().eval()
    samples = normal_samples(shapes)
    with torch.no_grad():
        results = [module(*map(torch.from_numpy, sample)) for sample in samples]
    expected = [[v.numpy() for v in (r.values() if isinstance(r, dict) else [r])] for r in results]
    container = container_of(model_pipeline(program(name), "model.pt2"))
    runs = {profile: run_container(container, profile, samples) for profile in container.modules}
    assert len(runs) == 2
    for found in (*runs.values(), run_engine(PyTorch, program(name), samples)):
        for ours, theirs in zip(found, expected, strict=True):
            for actual, wanted in zip(ours, theirs, strict=True):
                bound = 1e-5 * float(np.abs(wanted).max())
                np.testing.assert_allclose(actual.reshape(wanted.shape), wanted, rtol=0, atol=bound)


def test_signature_names_inputs_and_outputs() -> None:
    signature = read_signature(program("two inputs"), "model.pt2", None)
    assert signature.format == "pytorch"
    assert [(port.name, str(port.type)) for port in signature.inputs] == [
        ("first", "F32[3,4]"),
        ("second", "F32[3,4]"),
    ]
    assert [str(port.type) for port in signature.outputs] == ["F32[3,4]", "F32[3,4]"]


def test_another_format_in_the_runefile_is_refused() -> None:
    with pytest.raises(CompileError, match="says `onnx`, but the file is pytorch") as caught:
        read_signature(program("mlp"), "model.pt2", "onnx")
    assert caught.value.hint == "leave it out: the format is found from the file"


def test_symbolic_shapes_are_refused_with_the_cure() -> None:
    data = exported(mlp(), [(4, 10)], dynamic_shapes=({0: torch.export.Dim("batch")},))
    with pytest.raises(CompileError, match="known only when running") as caught:
        read_signature(data, "model.pt2", None)
    assert "static shapes" in str(caught.value.hint)


def test_unsupported_operators_are_named(capfd: pytest.CaptureFixture[str]) -> None:
    class Eigenvalues(nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return torch.linalg.eigvalsh(x)

    with pytest.raises(
        CompileError, match=r"stage `model`: model\.pt2 .*unsupported operators: `_linalg_eigh"
    ):
        container_of(model_pipeline(exported(Eigenvalues(), [(3, 3)]), "model.pt2"))
    assert capfd.readouterr() == ("", "")


def test_pytorch_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    data = program("mlp")
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(CompileError, match="is not installed") as caught:
        load_program(data, "model.pt2")
    assert "pip install torch" in str(caught.value.hint)


class Harm:
    """Unpickling it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_pickled_sample_inputs_are_never_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save((Harm(tmp_path / "harm"),), buffer)
    hostile = changed(program("mlp"), SAMPLES, lambda _: buffer.getvalue())
    container_of(model_pipeline(hostile, "model.pt2"))
    assert not (tmp_path / "harm").exists()
    buffer.seek(0)
    torch.load(buffer, weights_only=False)  # to see that it would have done harm
    assert (tmp_path / "harm").exists()


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    def pickled(config: Any) -> None:
        config["config"]["0.weight"]["use_pickle"] = True

    harm = pickle.dumps(Harm(tmp_path / "harm"))
    hostile = changed(with_json(program("mlp"), WEIGHTS, pickled), "data/weights/weight_0", lambda _: harm)
    with pytest.raises(CompileError, match=r"'0\.weight' is no plain tensor"):
        load_program(hostile, "model.pt2")
    assert not (tmp_path / "harm").exists()


def set_target(target: str) -> Callable[[Any], None]:
    return lambda value: value["graph_module"]["graph"]["nodes"][0].update(target=target)


def outside_name(config: Any) -> None:
    config["config"]["0.weight"]["path_name"] = "../../secret"


def huge_shape(config: Any) -> None:
    config["config"]["0.weight"]["tensor_meta"]["sizes"] = [{"as_int": 1 << 40}]


def code_in_tree(value: Any) -> None:
    signature = value["graph_module"]["module_call_graph"][0]["signature"]
    enum = '{"__enum__": true, "fqn": "antigravity:x", "name": "y"}'
    signature["in_spec"] = json.dumps([1, {"type": "builtins.dict", "context": enum, "children_spec": []}])


def symbolic_expression(value: Any) -> None:
    sizes = [{"as_expr": {"expr_str": "__import__('antigravity')"}}]
    value["graph_module"]["graph"]["tensor_values"]["x"] = {"dtype": 7, "sizes": sizes}


def code_in_name(value: Any) -> None:
    """Names of inputs become parameters of a function that PyTorch writes and runs."""
    text = json.dumps(value["graph_module"]).replace('"input"', '"x=print(1)"')
    value["graph_module"] = json.loads(text)


def text_argument(value: Any) -> None:
    inputs = [{"name": "filename", "arg": {"as_string": "here"}, "kind": 1}]
    value["graph_module"]["graph"]["nodes"][0].update(
        target="torch.ops.aten.from_file.default", inputs=inputs
    )


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        (MODEL, set_target("torch.hub.load"), "none of PyTorch's own ATen operators"),
        (MODEL, set_target("torch.ops.aten.__class__.mro"), "none of PyTorch's own"),
        (MODEL, set_target("torch.ops.aten.relu.__class__"), "none of PyTorch's own"),
        (MODEL, text_argument, "takes text"),
        (MODEL, code_in_tree, "come in a 'builtins.dict'"),
        (MODEL, code_in_name, "'x=print.1.' is no name"),
        (MODEL, symbolic_expression, "known only when running"),
        (MODEL, lambda value: value.pop("graph_module"), "damaged PyTorch model: KeyError"),
        (WEIGHTS, outside_name, "no plain tensor"),
        (WEIGHTS, huge_shape, "damaged PyTorch model"),
    ],
)
def test_hostile_archives_are_refused(part: str, change: Callable[[Any], None], message: str) -> None:
    with pytest.raises(CompileError, match=message):
        load_program(with_json(program("mlp"), part, change), "model.pt2")


def test_guards_and_metadata_stay_behind() -> None:
    """The former become Python code in PyTorch, the latter names functions to look up."""

    def guarded(value: Any) -> None:
        value["guards_code"] = ["print('harm')"]
        value["graph_module"]["graph"]["nodes"][0]["metadata"] = {"source_fn_stack": "x,torch.hub.load"}

    archive = harmless_archive(with_json(program("mlp"), MODEL, guarded), "model.pt2")
    value = json.loads(zipfile.ZipFile(io.BytesIO(archive)).read("model/" + MODEL))
    assert value["guards_code"] == []
    assert [node["metadata"] for node in value["graph_module"]["graph"]["nodes"]] == [{}] * 5


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = changed(program("mlp"), SAMPLES, lambda _: b"")
    buffer = io.BytesIO(bomb)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"model/extra/{number}", bytes(1 << 20))
    data = bytearray(buffer.getvalue())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (0xFFFFFFF0).to_bytes(4, "little")
    with pytest.raises(CompileError, match="more than any model needs"):
        read_signature(bytes(data), "model.pt2", None)


def test_other_archives_keep_their_message() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(CompileError, match="it is a ZIP archive"):
        detect_format(buffer.getvalue(), "model.keras")


@settings(max_examples=150)
@given(st.data())
def test_damage_is_refused_or_does_no_harm(draw: st.DataObject) -> None:
    """Bytes changed anywhere, or the end cut off: a signature or an error of ours, nothing else."""
    data = bytearray(program("mlp"))
    for position in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=8)):
        data[position] = draw.draw(st.integers(0, 255))
    data = data[: draw.draw(st.integers(len(data) // 2, len(data)) | st.just(len(data)))]
    try:
        signature = read_signature(bytes(data), "model.pt2", None)
    except CompileError:
        return
    assert signature.format == "pytorch"
