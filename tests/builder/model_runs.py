"""Runs a single model three ways: in both profiles of a container of ours, and in TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tflite_micro import runtime as tflite_micro

from builder.importers import detect_format, read_signature
from builder.layers import pipeline_of_model
from container.abi import Profile
from container.manifest import Optimization
from runefile.pipeline import ModelFile, TypedPipeline
from tests.builder.support import Array, Sample, container_of, run_container


def model_pipeline(model: bytes, file: str = "model.tflite") -> TypedPipeline:
    """Sensors for each input of a model, the model, and one OUT stage that takes all of its outputs."""
    return pipeline_of_model(ModelFile(file, model, detect_format(model, file)))


def run_ours(
    model: bytes, samples: Sequence[Sample], optimization: Optimization = Optimization.BALANCED
) -> dict[Profile, list[list[Array]]]:
    """Outputs of each sample in each profile."""
    container = container_of(model_pipeline(model), optimization)
    return {profile: run_container(container, profile, samples) for profile in container.modules}


def run_tflite_micro(model: bytes, samples: Sequence[Sample]) -> list[list[Array]]:
    """The reference's outputs of each sample."""
    count = len(read_signature(model, "model.tflite", None).outputs)
    interpreter = tflite_micro.Interpreter.from_bytes(model, arena_size=16 << 20)
    results = []
    for sample in samples:
        for position, value in enumerate(sample):
            interpreter.set_input(value, position)
        interpreter.invoke()
        results.append([np.array(interpreter.get_output(k)) for k in range(count)])
    return results


def assert_equals_tflite_micro(
    model: bytes, samples: Sequence[Sample], optimization: Optimization = Optimization.BALANCED
) -> None:
    """Integers equal to the last bit; floats within 1e-5 of the largest magnitude of the output."""
    expected = run_tflite_micro(model, samples)
    for profile, found in run_ours(model, samples, optimization).items():
        for number, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
            for output, (actual, wanted) in enumerate(zip(ours, theirs, strict=True)):
                message = f"{profile}, sample {number}, output {output}"
                if wanted.dtype.kind == "f":
                    tolerance = 1e-5 * max(1e-30, float(np.abs(wanted).max()))
                    np.testing.assert_allclose(actual, wanted, rtol=0, atol=tolerance, err_msg=message)
                else:
                    np.testing.assert_array_equal(actual, wanted, err_msg=message)


def int8_samples(shapes: Sequence[Sequence[int]], seed: int, count: int = 8) -> list[list[Array]]:
    """Random inputs, and the edges: all -128, all 127, all 0, and narrow bells around 0."""
    generator = np.random.default_rng(seed)
    samples = [
        [generator.integers(-128, 128, shape, "int8", endpoint=False) for shape in shapes]
        for _ in range(count)
    ]
    samples += [[np.full(shape, value, "int8") for shape in shapes] for value in (-128, 127, 0)]
    bells = [[np.clip(generator.normal(0, 20, shape), -128, 127).astype("int8") for shape in shapes]]
    return samples + bells


def int16_samples(shapes: Sequence[Sequence[int]], seed: int, count: int = 6) -> list[list[Array]]:
    """Random inputs over the whole range, and its edges."""
    generator = np.random.default_rng(seed)
    samples = [[generator.integers(-32768, 32768, shape, "int16") for shape in shapes] for _ in range(count)]
    return samples + [[np.full(shape, value, "int16") for shape in shapes] for value in (-32768, 32767, 0)]


def float_samples(shapes: Sequence[Sequence[int]], seed: int, count: int = 4) -> list[list[Array]]:
    generator = np.random.default_rng(seed)
    samples = [[generator.normal(0, 2, shape).astype("float32") for shape in shapes] for _ in range(count)]
    return [*samples, [np.zeros(shape, "float32") for shape in shapes]]
