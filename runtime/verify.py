"""Golden vectors: does the container compute what an independent engine computed?

Integers and text must be equal to the last bit.  A float may differ by a tolerance, which the manifest
states, times the largest magnitude that its output is expected to have in any of the vectors: engines add up
in different orders, and what is small beside the rest carries their rounding.  What is not finite must be the
same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from container import golden
from container.abi import Profile
from container.arrays import Array, little_endian
from container.errors import ContainerError, VerificationError
from container.execution import Executor, named_outputs
from container.golden import GoldenVector
from container.manifest import Manifest, StageKind
from container.sections import Container
from container.tensors import TensorType
from runtime.application import Application, choose_profile
from runtime.limits import Limits


@dataclass(frozen=True)
class Difference:
    """One output of one golden vector that is not as it must be."""

    profile: Profile
    vector: int
    origin: str
    """Where the vector's inputs came from."""
    output: str
    index: tuple[int, ...]
    """Of the first element that differs; for text the last number is a byte's."""
    expected: str
    found: str
    differing: int
    elements: int

    def __str__(self) -> str:
        where = f"vector {self.vector}" + (f" ({self.origin})" if self.origin else "")
        return (
            f"{self.profile}, {where}, output `{self.output}`: {self.differing:,} of {self.elements:,} "
            f"elements differ, first at {list(self.index)}: expected {self.expected}, found {self.found}"
        )


@dataclass(frozen=True)
class VerificationReport:
    """What was compared, and what differed."""

    profiles: tuple[Profile, ...]
    vectors: int
    elements: int
    """Compared in all profiles together."""
    engines: tuple[str, ...]
    """What computed the expected outputs."""
    differences: tuple[Difference, ...]
    float_tolerance: float
    """As a part of the largest value of an output."""

    def check(self) -> None:
        """Raises VerificationError that tells the first differences."""
        if self.differences:
            shown = "\n".join(str(difference) for difference in self.differences[:5])
            more = len(self.differences) - 5
            raise VerificationError(shown + (f"\nand {more} more" if more > 0 else ""))


def verify(
    container: Container, *, profiles: Sequence[Profile | str] = (), limits: Limits | None = None
) -> VerificationReport:
    """Run the sealed golden vectors in each profile (all there are by default).

    Raises ContainerError when none are sealed, TrapError, LimitError; a difference is told by the report.
    """
    vectors = sealed_vectors(container)
    chosen = [choose_profile(container, profile) for profile in profiles] or list(container.modules)
    bounds = float_bounds(container.manifest, vectors)
    differences: list[Difference] = []
    for profile in chosen:
        with Application(container, profile=profile, limits=limits) as application:
            differences += _run(application, profile, vectors, bounds)
    return _report(container.manifest, chosen, len(vectors), differences)


def verify_on(
    container: Container, executor: Executor, *, profile: Profile = Profile.MCU
) -> VerificationReport:
    """Run the sealed golden vectors on whatever executes the container, such as a board.

    Raises as `verify` does, and whatever the executor raises.
    """
    vectors = sealed_vectors(container)
    differences = _run(executor, profile, vectors, float_bounds(container.manifest, vectors))
    return _report(container.manifest, [profile], len(vectors), differences)


def _run(
    executor: Executor, profile: Profile, vectors: Sequence[GoldenVector], bounds: Mapping[int, float]
) -> list[Difference]:
    differences: list[Difference] = []
    for number, vector in enumerate(vectors):
        executor.reset()  # golden vectors know nothing of each other
        outputs = executor.infer(vector.inputs).outputs
        differences += compare(executor.manifest, profile, number, vector, outputs, bounds)
    return differences


def _report(
    manifest: Manifest, profiles: Sequence[Profile], vectors: int, differences: Sequence[Difference]
) -> VerificationReport:
    elements = sum(kind.count for kind in manifest.output_types.values())
    return VerificationReport(
        tuple(profiles),
        vectors,
        elements * vectors * len(profiles),
        manifest.golden_engines,
        tuple(differences),
        manifest.golden_tolerance,
    )


def sealed_vectors(container: Container) -> tuple[GoldenVector, ...]:
    """The golden vectors.  Raises ContainerError when there are none."""
    vectors = golden.parse(container.golden, container.manifest) if container.golden is not None else ()
    if not vectors:
        raise ContainerError(
            "no golden vectors are sealed in the container: there is nothing to verify it against",
            hint="install an independent engine (`pip install rune-tinyml[golden]`) and build it again",
        )
    return vectors


def float_bounds(manifest: Manifest, vectors: Sequence[GoldenVector]) -> dict[int, float]:
    """How far each float output may lie from its vectors, by number of `write`."""
    found = {}
    for port, kind in manifest.output_types.items():
        if kind.element.is_float:
            values = np.stack([_array(kind, vector.outputs[port]) for vector in vectors])
            largest = float(np.abs(values[np.isfinite(values)]).max(initial=0))
            found[port] = manifest.golden_tolerance * largest
    return found


def compare(
    manifest: Manifest,
    profile: Profile,
    number: int,
    vector: GoldenVector,
    outputs: Mapping[int, bytes],
    bounds: Mapping[int, float],
) -> list[Difference]:
    """Where the outputs of vector `number`, by number of `write`, are not as the vector says.

    `bounds` are the `float_bounds` of all vectors.
    """
    found = []
    for stage in manifest.of_kind(StageKind.OUT):
        for name, port, kind in named_outputs(stage):
            expected, actual = _array(kind, vector.outputs[port]), _array(kind, outputs[port])
            differs = differing(expected, actual, bounds.get(port))
            if differs.any():
                first = tuple(int(axis) for axis in np.unravel_index(int(np.argmax(differs)), differs.shape))
                found.append(
                    Difference(
                        profile,
                        number,
                        vector.origin,
                        name,
                        first,
                        str(expected[first]),
                        str(actual[first]),
                        int(differs.sum()),
                        differs.size,
                    )
                )
    return found


def _array(kind: TensorType, data: bytes) -> Array:
    return np.frombuffer(data, little_endian(kind.element)).reshape(kind.array_shape)


def differing(expected: Array, actual: Array, bound: float | None) -> Array:
    """Which elements are not as they must be; `bound` is None where every bit counts."""
    differs: Array
    if bound is None:
        differs = expected != actual
        return differs
    with np.errstate(invalid="ignore"):
        near = np.abs(expected.astype(np.float64) - actual) <= bound
    same = (expected == actual) | (np.isnan(expected) & np.isnan(actual))
    differs = ~np.where(np.isfinite(expected), near & np.isfinite(actual), same)
    return differs
