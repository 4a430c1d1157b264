"""Builds a pipeline and runs it in each profile, as the tests of the builder need it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from builder.build import build_container
from builder.golden import GoldenOptions
from container.abi import Profile
from container.arrays import from_bytes, to_bytes
from container.manifest import Optimization, StageKind
from container.sections import Container
from container.tensors import TensorType
from runefile.pipeline import TypedPipeline
from runtime.application import Application

Array = np.ndarray[Any, Any]
Sample = Sequence[Array]
NO_GOLDEN = GoldenOptions(samples=0)


def container_of(pipeline: TypedPipeline, optimization: Optimization = Optimization.BALANCED) -> Container:
    return Container.parse(build_container(pipeline, optimization=optimization, golden=NO_GOLDEN))


def run_container(
    container: Container, profile: Profile, samples: Sequence[Sample], *, fresh: Collection[int] = ()
) -> list[list[Array]]:
    """Outputs by port of each sample, inputs by port; `fresh` has the numbers of those that begin afresh."""
    sources = [s for s in container.manifest.stages if s.kind is StageKind.CAPABILITY]
    kinds: list[TensorType] = [
        kind for s in container.manifest.stages if s.kind is StageKind.OUT for kind in s.input_types
    ]
    results = []
    with Application(container, profile=profile) as application:
        for number, sample in enumerate(samples):
            if number in fresh:
                application.reset()
            inputs = {
                stage.name: to_bytes(stage.outputs[0], value)
                for stage, value in zip(sources, sample, strict=True)
            }
            outputs = application.infer(inputs).outputs
            results.append([from_bytes(kind, outputs[port]) for port, kind in enumerate(kinds)])
    return results
