"""Third-party TensorFlow Lite models against their golden vectors, in both profiles.

Integer models must give the very bytes of TensorFlow Lite Micro.  Float outputs may differ by 1e-5 of the
largest magnitude that the output has over the vectors: engines add up in different orders.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from container.abi import Profile
from container.manifest import StageKind
from container.sections import Container
from tests.builder.model_runs import model_pipeline
from tests.builder.support import Array, container_of, run_container
from tests.shared import shared_path

FLOAT_TOLERANCE = 1e-5

INTEGER = [
    "mlperf_tiny/kws_ref_model",
    "mlperf_tiny/pretrainedResnet_quant",
    "mlperf_tiny/pretrainedResnet_large_int8",
    "mlperf_tiny/ad01_int8",
    "mlperf_tiny/model_ToyCar_quant_fullint_micro",
    "tflite_micro/hello_world_int8",
    "tflite_micro/audio_preprocessor_int8",
    "tflite_micro/keyword_scrambled",
    "tflite_micro/micro_speech_quantized",
    "tflite_micro/simple_add_model",
    "tflite_micro/trained_lstm_int8",
    "tflite_micro/seanet/conv0",
    "tflite_micro/seanet/conv10",
    "tflite_micro/seanet/add0",
    "tflite_micro/seanet/add5",
    "tflite_micro/seanet/sub0",
    "tflite_micro/seanet/leaky_relu0",
    "tflite_micro/seanet/quantize0",
    "tflite_micro/seanet/quantize1",
    "tflite_micro/seanet/pad0",
    "tflite_micro/seanet/pad5",
    "tflite_micro/seanet/strided_slice0",
    "tflite_micro/seanet/transpose_conv0",
    "tflite_micro/seanet/transpose_conv2",
    "arm_ml_zoo/ds_cnn_s_int16",
    "tinymaix/mnist_arduino_q",
    "tinymaix/mnist_valid_q",
    "tinymaix/mnist_dw_q",
    "tinymaix/mnist_resnet_q",
    "tinymaix/cifar10_q",
    "micro_wake_word/v2_okay_nabu",
    "micro_wake_word/v2_vad",
    "hotg_rune/microspeech_4words",
    "hotg_rune/person_detection_uint8",
    "mlonmcu/cnn_s_quantized",
    "mlonmcu/micro_kws_m_quantized",
    "mlonmcu/catdog",
    "mlonmcu/rnnoise_INT8",
    "cfu_playground/magic_wand_int8",
]
FLOAT = [
    "mlperf_tiny/ad01_fp32",
    "mlperf_tiny/kws_ref_model_float32",
    "mlperf_tiny/model_ToyCar_quant",
    "mlperf_tiny/pretrainedResnet",
    "tflite_micro/hello_world_float",
    "tflite_micro/magic_wand_gesture",
    "tflite_micro/trained_lstm",
    "tinymaix/mnist_valid_f",
    "tinymaix/mnist_resnet_f",
    "tinymaix/cifar10_f",
    "mlonmcu/micro_kws_m_fp32",
    "mlonmcu/lstm2",
    "mlonmcu/simple_mnist",
    "hotg_rune/gesture_float",
    "hotg_rune/sinemodel",
]


class Vector(NamedTuple):
    """A golden vector."""

    inputs: list[Array]
    outputs: list[Array]
    is_fresh: bool
    """Whether the model remembers nothing of those before."""


@cache
def streams() -> frozenset[str]:
    """Files of the models whose real samples, and then random ones, follow each other without a reset."""
    with shared_path("models/MANIFEST.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return frozenset(row["file"] for row in rows if "[stateful sequence]" in row["input_kind"])


def golden_vectors(model: Path) -> Iterator[Vector]:
    """Each sample: real ones, then random ones."""
    is_stream = model.relative_to(shared_path("models")).as_posix() in streams()
    with np.load(model.with_suffix(".golden.npz")) as file:
        arrays = dict(file)
    for prefix in ("", "r"):
        inputs, outputs = ordered(arrays, f"{prefix}in"), ordered(arrays, f"{prefix}out")
        for sample in range(len(inputs[0]) if inputs else 0):
            is_fresh = sample == 0 or not is_stream
            yield Vector([v[sample] for v in inputs], [v[sample] for v in outputs], is_fresh)


def ordered(arrays: dict[str, Array], prefix: str) -> list[Array]:
    names = [name for name in arrays if re.fullmatch(rf"{prefix}\d+", name)]
    return [arrays[name] for name in sorted(names, key=lambda name: int(name[len(prefix) :]))]


def build(name: str) -> tuple[Container, list[Vector]]:
    path = shared_path(f"models/{name}.tflite")
    return container_of(model_pipeline(path.read_bytes())), list(golden_vectors(path))


def run(container: Container, profile: Profile, vectors: list[Vector]) -> list[list[Array]]:
    fresh = {number for number, vector in enumerate(vectors) if vector.is_fresh}
    return run_container(container, profile, [vector.inputs for vector in vectors], fresh=fresh)


@pytest.mark.parametrize("name", INTEGER)
def test_integer_models_give_the_reference_bytes(name: str) -> None:
    container, vectors = build(name)
    assert len(vectors) >= 4
    for profile in container.modules:
        results = run(container, profile, vectors)
        for number, (found, vector) in enumerate(zip(results, vectors, strict=True)):
            for ours, theirs in zip(found, vector.outputs, strict=True):
                assert ours.tobytes() == theirs.tobytes(), f"{profile}, vector {number}"


@pytest.mark.parametrize("name", FLOAT)
def test_float_models_stay_within_the_tolerance(name: str) -> None:
    container, vectors = build(name)
    assert len(vectors) >= 4
    for profile in container.modules:
        results = run(container, profile, vectors)
        for output in range(len(vectors[0].outputs)):
            expected = np.stack([vector.outputs[output] for vector in vectors])
            found = np.stack([outputs[output].reshape(expected.shape[1:]) for outputs in results])
            bound = FLOAT_TOLERANCE * float(np.abs(expected).max())
            np.testing.assert_allclose(found, expected, rtol=0, atol=bound, err_msg=f"{name}, {profile}")


def test_every_utterance_gets_the_class_and_the_bytes_of_the_reference() -> None:
    """1,000 keyword utterances: the model's outputs, all twelve bytes of each."""
    model = shared_path("models/mlperf_tiny/kws_ref_model.tflite")
    with np.load(shared_path("models/eval_sets/mlperf_kws01_1000.npz")) as file:
        features, expected = file["x"], file["tflm_int8"]
    container = container_of(model_pipeline(model.read_bytes()))
    for profile in container.modules:
        results = run_container(container, profile, [[sample] for sample in features])
        found = np.stack([outputs[0].reshape(12) for outputs in results])
        assert found.tobytes() == expected.reshape(-1, 12).tobytes(), profile


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        # 1.1 times what TensorFlow Lite Micro's arena takes on a 32-bit board.
        ("mlperf_tiny/kws_ref_model", 22_772 * 11 // 10),
        ("hotg_rune/sinemodel", 4096),
    ],
)
def test_linear_memory_beside_the_weights_is_small(name: str, limit: int) -> None:
    container, _ = build(name)
    plan = container.manifest.plans[Profile.MCU]
    assert plan.linear_memory - plan.read_only <= limit


def test_operators_are_told_by_stage_with_their_work() -> None:
    """The keyword model: 2,656,768 multiply-accumulates, known from its shapes, between sensor and output."""
    container, _ = build("mlperf_tiny/kws_ref_model")
    for plan in container.manifest.plans.values():
        assert sum(operator.macs for operator in plan.operators) == 2_656_768
        assert plan.operators[0].stage == "in0"
        assert plan.operators[-1].stage == "out"
        assert {operator.stage for operator in plan.operators[1:-1]} == {"model"}
    assert container.manifest.stages[-1].kind is StageKind.OUT
