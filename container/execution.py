"""One inference, whoever executes it: what goes in, and how to tell of one that fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from container.abi import Failure, split_error_code
from container.errors import TrapError, UsageError

if TYPE_CHECKING:
    from container.manifest import Manifest, OperatorRecord, StageRecord
    from container.tensors import TensorType


class Outcome(Protocol):
    """What an inference gave."""

    @property
    def outputs(self) -> Mapping[int, bytes]:
        """By the number that is passed to `write`."""

    @property
    def fuel(self) -> int | None:
        """WebAssembly operations; None where they are not counted."""


class Executor(Protocol):
    """A container, ready to run: on this machine or on a board."""

    @property
    def manifest(self) -> Manifest: ...

    def infer(self, samples: Mapping[str, bytes]) -> Outcome:
        """One inference on the very bytes of each capability's sample.  Raises UsageError, TrapError."""

    def reset(self) -> None:
        """Forget what earlier inferences left behind."""


def samples_by_port(manifest: Manifest, samples: Mapping[str, bytes]) -> dict[int, bytes]:
    """The samples of all capabilities by the number that is passed to `read`.

    Raises UsageError where one is missing or has another size than its type.
    """
    found = {}
    for port, stage in manifest.sources.items():
        _check_size(stage, samples)
        found[port] = samples[stage.name]
    return found


def named_outputs(stage: StageRecord) -> list[tuple[str, int, TensorType]]:
    """Name, number and type of each input of an OUT stage: `serial`, or `serial.0`, `serial.1`..."""
    several = len(stage.inputs) > 1
    return [
        (f"{stage.name}.{number}" if several else stage.name, (stage.port or 0) + number, kind)
        for number, kind in enumerate(stage.input_types)
    ]


def check_outcome(manifest: Manifest, code: int, outputs: Mapping[int, bytes]) -> None:
    """Raises TrapError where `run` returned an error code, or an output was not written."""
    if code != 0:
        raise TrapError(_failure(manifest, code))
    for port in manifest.output_types:
        if port not in outputs:
            raise TrapError(f"the container finished without writing output {port}")


def where_it_ended(operators: Sequence[OperatorRecord], number: int | None) -> str:
    """In which stage; the number comes from the container and may be anything."""
    if number is None or not 0 <= number < len(operators):
        return "the container was ended"
    operator = operators[number]
    return f"the container was ended in stage `{operator.stage}`, operator {number} ({operator.name})"


def _check_size(stage: StageRecord, samples: Mapping[str, bytes]) -> None:
    kind = stage.outputs[0]
    found = len(samples.get(stage.name, b""))
    if found != kind.bytes:
        raise UsageError(f"the sample of `{stage.name}` has {found:,} bytes, {kind} takes {kind.bytes:,}")


def _failure(manifest: Manifest, code: int) -> str:
    number, failure = split_error_code(code)
    if not 0 <= number < len(manifest.stages) or failure not in list(Failure):
        return f"the container returned {code}, which is no error code of its manifest"
    return f"the stage `{manifest.stages[number].name}` gave up: {Failure(failure).message}"
