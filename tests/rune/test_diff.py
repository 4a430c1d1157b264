"""`rune diff`: equal where it must be, and the first layer that differs where one does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from builder.operators.average_pool2d import AveragePool2D
from builder.passes import dead_channels
from container.errors import ExitCode
from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.rune.commands import printed, rune
from tests.shared import shared_path
from tests.snapshots import assert_snapshot

HALF, WHOLE = Quantization((0.5,), (0,)), Quantization((1.0,), (0,))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """x -> ADD -> AVERAGE_POOL_2D of 2 by 2 -> RESHAPE -> ADD."""
    graph = Graph("small")
    x = graph.input("x", (1, 2, 2, 2), "int8", HALF)
    doubled = graph.tensor("doubled", (1, 2, 2, 2), "int8", WHOLE)
    pooled = graph.tensor("pooled", (1, 1, 1, 2), "int8", WHOLE)
    flat = graph.tensor("flat", (1, 2), "int8", WHOLE)
    y = graph.tensor("y", (1, 2), "int8", WHOLE)
    graph.operator("ADD", [x, x], [doubled])
    window = {"padding": 1, "stride_h": 1, "stride_w": 1, "filter_height": 2, "filter_width": 2}
    graph.operator("AVERAGE_POOL_2D", [doubled], [pooled], **window)
    graph.operator("RESHAPE", [pooled, graph.constant("shape", np.array([1, 2], "int32"))], [flat])
    graph.operator("ADD", [flat, flat], [y])
    graph.output(y)
    file = tmp_path / "small.tflite"
    file.write_bytes(graph.to_bytes())
    np.savez(tmp_path / "inputs.npz", in0=np.array([1, 10, 2, 20, 3, 30, 5, 41], "int8").reshape(1, 2, 2, 2))
    return file


def layers(folder: Path, **changed: Any) -> Path:
    """What a human computes: x + x in steps of 1.0 is x; the means are 2.75 and 25.25; then their doubles."""
    recorded = {
        "000|ADD|1": np.array([1, 10, 2, 20, 3, 30, 5, 41], "int8").reshape(1, 2, 2, 2),
        "001|AVERAGE_POOL_2D|2": np.array([3, 25], "int8").reshape(1, 1, 1, 2),
        "002|RESHAPE|3": np.array([[3, 25]], "int8"),
        "003|ADD|4": np.array([[6, 50]], "int8"),
    }
    np.savez(folder / "layers.npz", **{**recorded, **changed})
    return folder / "layers.npz"


def test_equal_layers(model: Path, tmp_path: Path) -> None:
    result = rune("diff", model, "--inputs", tmp_path / "inputs.npz", "--layers", layers(tmp_path))
    assert_snapshot("cli/diff.txt", printed(result))


def test_the_first_layer_that_differs_from_a_recording(model: Path, tmp_path: Path) -> None:
    wrong = layers(
        tmp_path,
        **{"001|AVERAGE_POOL_2D|2": np.array([3, 27], "int8"), "003|ADD|4": np.array([[7, 50]], "int8")},
    )
    result = rune("diff", model, "--inputs", tmp_path / "inputs.npz", "--layers", wrong)
    assert_snapshot("cli/diff-differs.txt", printed(result))


@pytest.mark.parametrize("profile", ["simd", "mcu"])
def test_an_operator_that_computes_something_else_is_found(
    model: Path, tmp_path: Path, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against TensorFlow Lite Micro; every operator after the wrong one differs as well."""
    right = AveragePool2D.finish
    monkeypatch.setattr(
        AveragePool2D, "finish", lambda self, call, total, count: right(self, call, total, count) + 1
    )
    result = rune("diff", model, "--inputs", tmp_path / "inputs.npz", "--profile", profile, "--json")
    assert result.exit_code == ExitCode.VERIFICATION
    assert "the first tensor that differs from tflite-micro" in result.stderr
    facts = json.loads(result.stdout)
    assert (facts["schema"], facts["ok"], facts["profile"], facts["missing"]) == (1, False, profile, 0)
    assert [row["differing"] for row in facts["rows"]] == [0, 2, 2, 2, 2]
    assert facts["rows"][1]["operator"] == "AVERAGE_POOL_2D"
    assert (facts["rows"][1]["expected"], facts["rows"][1]["found"]) == ("3", "4")
    assert (facts["rows"][1]["index"], facts["rows"][1]["maximum"]) == ([0, 0, 0, 0], 1.0)


def test_a_recording_with_overwritten_tensors_is_not_believed(model: Path, tmp_path: Path) -> None:
    """An engine that computes in place leaves the mean where its input was."""
    last = np.array([[6, 50]], "int8")
    recorded = layers(tmp_path, **{"002|RESHAPE|3": last})
    result = rune("diff", model, "--inputs", tmp_path / "inputs.npz", "--layers", recorded)
    assert result.exit_code == ExitCode.OK
    assert "1 tensor is not compared" in result.stdout


def test_a_reference_of_other_shapes_is_refused(model: Path, tmp_path: Path) -> None:
    other = layers(tmp_path, **{"003|ADD|4": np.zeros((1, 3), "int8")})
    result = rune("diff", model, "--inputs", tmp_path / "inputs.npz", "--layers", other)
    assert result.exit_code == ExitCode.USAGE
    assert "tensor 'y' of node 3 is int8[1, 2], the reference has int8[1, 3]" in result.stderr


def test_files_that_cannot_be_read(model: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert rune("diff", missing, "--inputs", tmp_path / "inputs.npz").exit_code == ExitCode.FAILED
    assert rune("diff", model, "--inputs", missing).exit_code == ExitCode.USAGE
    assert rune("diff", tmp_path / "inputs.npz", "--inputs", missing).exit_code == ExitCode.COMPILE


@pytest.mark.parametrize(
    ("name", "compared"),
    [
        ("mlperf_tiny/kws_ref_model", 14),
        # The recording's engine added in place: three of sixteen layers hold the sum.
        ("mlperf_tiny/pretrainedResnet_quant", 14),
        ("mlperf_tiny/ad01_int8", 11),
        ("tflite_micro/micro_speech_quantized", 5),
    ],
)
def test_models_equal_their_recorded_layers(name: str, compared: int) -> None:
    model = shared_path(f"models/{name}.tflite")
    inputs, recorded = (model.with_suffix(suffix) for suffix in (".golden.npz", ".layers.npz"))
    result = rune("diff", model, "--inputs", inputs, "--layers", recorded)
    assert (result.exit_code, result.stderr) == (ExitCode.OK, "")
    assert f"of {compared} tensors equal" in result.stdout


def test_a_wrong_rewrite_of_the_graph_is_told_from_a_wrong_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channel 1 is 20 whatever comes in; a pass cuts it out and forgets what it adds to the next sum."""
    graph = Graph("constant")
    x = graph.input("x", (1, 1, 1, 1), "int8", WHOLE)
    middle, y = graph.tensor("m", (1, 1, 1, 2), "int8", WHOLE), graph.tensor("y", (1, 1, 1, 1), "int8", WHOLE)
    for source, target, weights, bias in ((x, middle, [[1], [0]], [0, 20]), (middle, y, [[1, 1]], [0])):
        filters = np.array(weights, "int8")[:, None, None, :]
        constants = [graph.constant("w", filters, WHOLE), graph.constant("b", np.array(bias, "int32"))]
        graph.operator("CONV_2D", [source, *constants], [target], padding=1, stride_h=1, stride_w=1)
    graph.output(y)
    file = tmp_path / "constant.tflite"
    file.write_bytes(graph.to_bytes())
    np.savez(tmp_path / "inputs.npz", in0=np.array([[[[5]]]], "int8"))
    monkeypatch.setattr(dead_channels, "_constant_part", lambda weights, zero, source: 0)
    result = rune("diff", file, "--inputs", tmp_path / "inputs.npz")
    assert result.exit_code == ExitCode.VERIFICATION
    assert "node 1, (as built), tensor 'y': 1 of 1 elements" in result.stderr
    assert "expected 25, found 5" in result.stderr
    assert "hint: every layer is equal when all are outputs: look at the passes" in result.stderr
