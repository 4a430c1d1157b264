"""Where a model departs from its reference: tensor by tensor, in the order of execution.

The model is built twice: with every layer as an output, and as it is, since what is an output cannot be fused
or removed.  Integers must be equal to the last bit; floats within what `runtime.verify` allows of the largest
magnitude in the tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from builder.build import build_container
from builder.golden import GoldenOptions
from builder.importers import detect_format, read_signature
from builder.layers import (
    Layer,
    LayeredModel,
    computed_layers,
    pipeline_of_model,
    read_inputs,
    recorded_layers,
    with_layers,
)
from container.abi import Profile
from container.arrays import Array, from_bytes, to_bytes
from container.errors import UsageError, VerificationError
from container.files import read_bounded
from container.manifest import Manifest
from container.sections import Container
from runefile.pipeline import ModelFile
from runtime.application import Application
from runtime.limits import Limits
from runtime.verify import differing

MAXIMUM_MODEL_BYTES = 256 << 20
AS_BUILT = "(as built)"
"""Stands in place of the operator for an output of the model as it is."""


@dataclass(frozen=True)
class Row:
    """One tensor that was compared."""

    node: int
    operator: str
    tensor: str
    dtype: str
    elements: int
    differing: int
    maximum: float
    """The largest difference of two elements; infinite where one is not finite and the other not the same."""
    index: tuple[int, ...] | None
    """Of the first element that differs."""
    expected: str | None
    found: str | None


@dataclass(frozen=True)
class DiffReport:
    """What was compared with what, and how it came out."""

    profile: Profile
    reference: str
    """The engine, or the file of recorded layers."""
    rows: tuple[Row, ...]
    missing: int
    """Layers that the reference does not tell, or where it cannot be trusted."""

    @property
    def first(self) -> Row | None:
        """The first tensor that differs."""
        return next((row for row in self.rows if row.differing), None)

    def check(self) -> None:
        """Raises VerificationError that tells the first tensor that differs."""
        row = self.first
        if row is None:
            return
        place = f"node {row.node}, {row.operator}, tensor {row.tensor!r}"
        message = (
            f"the first tensor that differs from {self.reference} is that of {place}: {row.differing:,} of "
            f"{row.elements:,} elements, first at {list(row.index or ())}: expected {row.expected}, "
            f"found {row.found}"
        )
        if row.operator == AS_BUILT:
            hint = "every layer is equal when all are outputs: look at the passes, which rewrite the graph"
        else:
            hint = "what was compared before it is equal: look at this operator"
        raise VerificationError(message, hint=hint)


def diff(
    model: Path | str,
    inputs: Path | str,
    *,
    layers: Path | str | None = None,
    profile: Profile | str = Profile.SIMD,
    sample: int = 0,
    limits: Limits | None = None,
    progress: Callable[[str], None] = lambda phase: None,
) -> DiffReport:
    """Compare every layer of a model, in one profile, with recorded ones or with an independent engine's.

    `inputs` is a `.npz` file with an array for each input, `in0`, `in1`... or by name; where the arrays hold
    several samples, `sample` is taken.  `layers` is a `.npz` file of recorded tensors.  Raises UsageError,
    CompileError, TrapError, LimitError; what differs is told by the report.
    """
    progress("read")
    file = _read_model(Path(model))
    ports = read_signature(file.data, file.file, file.format).inputs
    values = read_inputs(Path(inputs), ports, sample)
    layered = with_layers(file)
    chosen = _profile(profile)
    progress("reference")
    reference = _reference(layered, layers, values)
    progress("build with all layers")
    found = _run(layered.model, chosen, values, limits)
    progress("build as it is")
    outputs = _run(file, chosen, values, limits)
    rows = _compare(layered.layers, found, reference)
    missing = len(layered.layers) - len(rows)
    rows += _as_built(layered, outputs, reference)
    return DiffReport(chosen, reference.name, tuple(rows), missing)


def _read_model(path: Path) -> ModelFile:
    data = read_bounded(path, MAXIMUM_MODEL_BYTES)
    return ModelFile(path.name, data, detect_format(data, path.name))


def _profile(name: Profile | str) -> Profile:
    try:
        return Profile(name)
    except ValueError as fault:
        raise UsageError(f"{fault}", hint=f"the profiles are {' and '.join(Profile)}") from None


@dataclass(frozen=True)
class _Reference:
    name: str
    values: Mapping[int, Array]
    """By the number of the layer."""
    doubtful: frozenset[int] = frozenset()
    """Layers whose values may not be theirs."""


def _reference(layered: LayeredModel, layers: Path | str | None, inputs: Sequence[Array]) -> _Reference:
    if layers is None:
        values, engine = computed_layers(layered, inputs)
        return _Reference(engine, values)
    values, doubtful = recorded_layers(Path(layers), layered)
    return _Reference(Path(layers).name, values, doubtful)


def _run(model: ModelFile, profile: Profile, inputs: Sequence[Array], limits: Limits | None) -> list[Array]:
    """The outputs of a model of ours."""
    pipeline = pipeline_of_model(model)
    golden = GoldenOptions(samples=0)
    container = Container.parse(build_container(pipeline, profiles=(profile,), golden=golden))
    manifest = container.manifest
    samples = {
        stage.name: to_bytes(stage.outputs[0], value)
        for stage, value in zip(manifest.sources.values(), inputs, strict=True)
    }
    with Application(container, profile=profile, limits=limits) as application:
        outputs = application.infer(samples).outputs
    return [from_bytes(kind, outputs[port]) for port, kind in manifest.output_types.items()]


def _compare(layers: Sequence[Layer], found: Sequence[Array], reference: _Reference) -> list[Row]:
    rows = []
    for number, (layer, value) in enumerate(zip(layers, found, strict=True)):
        if number in reference.values:
            row = _row(layer, reference.values[number], value)
            if not (row.differing and number in reference.doubtful):
                rows.append(row)
    return rows


def _as_built(layered: LayeredModel, outputs: Sequence[Array], reference: _Reference) -> list[Row]:
    return [
        _row(replace(layered.layers[number], operator=AS_BUILT), reference.values[number], value)
        for number, value in zip(layered.outputs, outputs, strict=True)
        if number is not None and number in reference.values
    ]


def _row(layer: Layer, expected: Array, found: Array) -> Row:
    """Raises UsageError when the reference has a tensor of another kind."""
    if expected.dtype != found.dtype or expected.size != found.size:
        raise UsageError(
            f"tensor {layer.tensor!r} of node {layer.node} is {found.dtype}{list(found.shape)}, "
            f"the reference has {expected.dtype}{list(expected.shape)}",
            hint="is this the reference of another model?",
        )
    expected = expected.reshape(found.shape)
    bound = None
    if found.dtype.kind == "f":
        largest = float(np.abs(expected[np.isfinite(expected)]).max(initial=0))
        bound = Manifest.golden_tolerance * largest
    differs = differing(expected, found, bound)
    first = None
    if differs.any():
        first = tuple(int(axis) for axis in np.unravel_index(int(np.argmax(differs)), differs.shape))
    return Row(
        node=layer.node,
        operator=layer.operator,
        tensor=layer.tensor,
        dtype=str(found.dtype),
        elements=found.size,
        differing=int(differs.sum()),
        maximum=_maximum(expected, found),
        index=first,
        expected=None if first is None else str(expected[first]),
        found=None if first is None else str(found[first]),
    )


def _maximum(expected: Array, found: Array) -> float:
    same = (expected == found) | ((expected != expected) & (found != found))
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs(expected[~same].astype("float64") - found[~same].astype("float64"))
    return float(np.nan_to_num(distance, nan=np.inf, posinf=np.inf).max(initial=0.0))
