"""Golden vectors: inputs of the whole pipeline, and what independent engines say must come out.

Models run in an engine of `engines.py`; proc blocks in NumPy, by their own `reference`.  Nothing of what the
builder compiled takes part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from builder.blocks.base import Block, NoReference, use_of
from builder.engines import EngineError, described, installed_engine, run_engine
from builder.importers import ONNX
from builder.npz import read_arrays
from container.errors import UsageError
from container.golden import GoldenVector
from container.manifest import OutputReference, StageKind, StageRecord
from container.tensors import ElementType, TensorType
from runefile.pipeline import TypedPipeline

Array: TypeAlias = np.ndarray[Any, Any]
Sample: TypeAlias = Mapping[str, Array]
"""Inputs by the name of the capability, in the shapes of the ABI (text as bytes)."""


FLOAT_TOLERANCE = 1e-5
"""Engines add up in different orders."""
QUANTIZED_ONNX_TOLERANCE = 0.05
"""onnxruntime rounds the sums of a quantised model as float32: near a tie, elsewhere than exact ones."""


@dataclass(frozen=True)
class GoldenOptions:
    """Which vectors to seal."""

    samples: int = 4
    """How many seeded random inputs."""
    seed: int = 0
    file: Path | None = None
    """A `.npz` with an array for each capability: one sample, or samples along a further first axis."""


@dataclass(frozen=True)
class Golden:
    vectors: tuple[GoldenVector, ...]
    engines: tuple[str, ...]
    """Name and version of each engine that took part."""
    tolerance: float = FLOAT_TOLERANCE
    """How far floats may lie from them, as a part of the largest value of an output."""
    reason: str | None = None
    """Why there are no vectors, or fewer than asked for."""


def golden_vectors(pipeline: TypedPipeline, options: GoldenOptions) -> Golden:
    """The vectors of a pipeline; none, and the reason, where no independent engine can compute them.

    Raises UsageError when the user's file does not fit the pipeline.
    """
    named = _samples(pipeline, options)
    if not named:
        return Golden((), ())
    walk = _Walk(pipeline)
    try:
        outputs = walk.outputs([sample for _, sample in named])
    except (EngineError, NoReference) as fault:
        return Golden((), (), reason=str(fault))
    vectors = tuple(
        GoldenVector(
            inputs={name: _bytes(value) for name, value in sample.items()},
            outputs={port: _bytes(value) for port, value in result.items()},
            origin=origin,
        )
        for (origin, sample), result in zip(named, outputs, strict=True)
        if result is not None
    )
    refused = len(named) - len(vectors)
    reason = f"{refused} inputs that the pipeline refuses were left out" if refused else None
    return Golden(vectors, tuple(walk.engines), walk.tolerance, reason)


def _samples(pipeline: TypedPipeline, options: GoldenOptions) -> list[tuple[str, Sample]]:
    sensors = {s.name: s.outputs[0] for s in pipeline.stages if s.kind is StageKind.CAPABILITY}
    samples: list[tuple[str, Sample]] = []
    for number in range(options.samples):
        generator = np.random.default_rng((options.seed, number))
        values = {name: random_value(type_, generator) for name, type_ in sensors.items()}
        samples.append((f"random, seed {options.seed}, sample {number}", values))
    if options.file is not None:
        samples += _file_samples(options.file, sensors)
    return samples


def random_value(type_: TensorType, generator: np.random.Generator) -> Array:
    """A sample of a capability: integers over their range, floats standard normal, text printable ASCII."""
    if type_.element is ElementType.UTF8:
        return generator.integers(32, 127, type_.array_shape, "uint8")
    if type_.element.is_float:
        return generator.standard_normal(type_.shape).astype(type_.element.dtype)
    limits = np.iinfo(type_.element.dtype)
    return generator.integers(limits.min, limits.max, type_.shape, type_.element.dtype, endpoint=True)


def _file_samples(file: Path, sensors: Mapping[str, TensorType]) -> list[tuple[str, Sample]]:
    arrays = read_arrays(file)
    missing = sorted(sensors.keys() - arrays.keys())
    unknown = sorted(arrays.keys() - sensors.keys())
    if missing or unknown:
        raise UsageError(
            f"{file}: has the arrays {sorted(arrays)}, the pipeline's capabilities are {sorted(sensors)}",
            hint="save one array for each capability, under its name",
        )
    batches = {name: _batch(file, name, arrays[name], type_) for name, type_ in sensors.items()}
    counts = {len(batch) for batch in batches.values()}
    if len(counts) > 1:
        raise UsageError(f"{file}: the arrays hold different numbers of samples: {sorted(counts)}")
    return [
        (f"{file.name}, sample {number}", {name: batch[number] for name, batch in batches.items()})
        for number in range(counts.pop() if counts else 0)
    ]


def _batch(file: Path, name: str, values: Array, type_: TensorType) -> Array:
    """Samples along the first axis, each in the shape of the ABI."""
    if values.dtype != np.dtype(type_.element.dtype):
        raise UsageError(f"{file}: array {name!r} is {values.dtype}, expected {type_.element.dtype}")
    shape = type_.array_shape
    if values.shape not in (shape, (len(values), *shape) if values.ndim else shape):
        raise UsageError(
            f"{file}: array {name!r} has the shape {list(values.shape)}, expected {list(shape)} or N of them"
        )
    return values.reshape(-1, *shape)


class _Walk:
    """Carries all samples through the stages together, since an engine is started once for each model."""

    def __init__(self, pipeline: TypedPipeline) -> None:
        self._pipeline = pipeline
        self.engines: list[str] = [described("numpy")]
        self.tolerance = FLOAT_TOLERANCE

    def outputs(self, samples: Sequence[Sample]) -> list[dict[int, Array] | None]:
        """Outputs by port of each sample; None where a block refuses it."""
        values: list[dict[OutputReference, Array] | None] = [
            {OutputReference(name, 0): value for name, value in sample.items()} for sample in samples
        ]
        for stage in self._pipeline.stages:
            alive = [sample for sample in values if sample is not None]
            if stage.kind is StageKind.MODEL:
                self._model(stage, alive)
            elif stage.kind is StageKind.PROC_BLOCK:
                values = [None if sample is None else self._block(stage, sample) for sample in values]
        return [None if sample is None else self._written(sample) for sample in values]

    def _model(self, stage: StageRecord, samples: Sequence[dict[OutputReference, Array]]) -> None:
        model = self._pipeline.models[stage.name]
        engine = installed_engine(model.format)
        if model.signature is not None:
            raise EngineError(f"no independent engine runs the signature `{model.signature}` of a model")
        if engine is None:
            raise EngineError(f"no independent engine for {model.format} models is installed")
        if model.format == ONNX and b"Quantize" in model.data:
            self.tolerance = QUANTIZED_ONNX_TOLERANCE
        inputs = [_inputs(stage, sample) for sample in samples]
        for sample, results in zip(samples, run_engine(engine, model.data, inputs), strict=True):
            _keep(stage, sample, results)
        if described(engine.package) not in self.engines:
            self.engines.append(described(engine.package))

    def _block(
        self, stage: StageRecord, sample: dict[OutputReference, Array]
    ) -> dict[OutputReference, Array] | None:
        block = self._pipeline.blocks[stage.name]
        if not isinstance(block, Block):
            raise NoReference(f"proc block `{stage.target}` has no reference in NumPy")
        try:
            results = block.reference(_inputs(stage, sample), use_of(stage), stage.outputs)
        except ValueError:
            return None
        _keep(stage, sample, results)
        return sample

    def _written(self, sample: Mapping[OutputReference, Array]) -> dict[int, Array]:
        return {
            stage.port + position: sample[reference]
            for stage in self._pipeline.stages
            if stage.kind is StageKind.OUT and stage.port is not None
            for position, reference in enumerate(stage.inputs)
        }


def _inputs(stage: StageRecord, sample: Mapping[OutputReference, Array]) -> list[Array]:
    return [
        sample[reference].reshape(type_.array_shape)
        for reference, type_ in zip(stage.inputs, stage.input_types, strict=True)
    ]


def _keep(stage: StageRecord, sample: dict[OutputReference, Array], results: Sequence[Array]) -> None:
    for position, (result, type_) in enumerate(zip(results, stage.outputs, strict=True)):
        values = np.asarray(result, dtype=type_.element.dtype).reshape(type_.array_shape)
        sample[OutputReference(stage.name, position)] = values


def _bytes(values: Array) -> bytes:
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
