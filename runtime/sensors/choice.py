"""Which file, or which seed, feeds which capability.

The k-th file of an option feeds the capability with `source = k`, or, where none is set, the k-th capability
of that option's kinds in the order of the Runefile (k counts from 0).  Seeds do the same for RAND, whose own
argument `seed`, or 0, counts where no seed is given.  With a seed, a capability of another kind that has no
file gets random numbers too.  When seeds run out, the last one is varied: `default_rng([seed, k])`, k from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from container.errors import ContainerError, UsageError
from container.manifest import Manifest, StageKind, StageRecord
from runtime.sensors.source import SensorSource, argument

RANDOM = "RAND"


@dataclass(frozen=True)
class SensorOptions:
    """What a user gives to feed the sensors; each is in order."""

    random: Sequence[int] = ()
    """Seeds."""
    sound: Sequence[Path] = ()
    image: Sequence[Path] = ()
    accel: Sequence[Path] = ()
    raw: Sequence[Path] = ()


@dataclass(frozen=True)
class Kind:
    """A kind of sensor that a file feeds: the option, which is the reader's name too, and its value."""

    option: str
    placeholder: str


KINDS = {
    "SOUND": Kind("sound", "WAV"),
    "IMAGE": Kind("image", "FILE"),
    "ACCEL": Kind("accel", "CSV"),
    "RAW": Kind("raw", "FILE"),
    # Sensors of a board's own: here their readings come as bytes.
    "TEMPERATURE": Kind("raw", "FILE"),
    "ADC": Kind("raw", "FILE"),
}


def import_readers(options: SensorOptions) -> None:
    """Import what will read the files, where there is something to wait for anyway."""
    for option in dict.fromkeys(kind.option for kind in KINDS.values()):
        for path in getattr(options, option):
            _reader(_reader_name(option, path))
    if options.random:
        import_module("runtime.sensors.rand")


def open_sensors(manifest: Manifest, options: SensorOptions) -> dict[str, SensorSource]:
    """The source of each capability, by its name.

    Raises UsageError when a file is missing or superfluous, SensorError when one does not fit its capability.
    """
    chosen: dict[str, SensorSource] = {}
    for option in dict.fromkeys(kind.option for kind in KINDS.values()):
        for stage, path in _assign(manifest, option, getattr(options, option)):
            chosen[stage.name] = _open(stage, path)
    left = [stage for stage in manifest.of_kind(StageKind.CAPABILITY) if stage.name not in chosen]
    chosen.update(_random(left, options.random))
    return chosen


def _assign(manifest: Manifest, option: str, files: Sequence[Path]) -> list[tuple[StageRecord, Path]]:
    targets = [target for target, kind in KINDS.items() if kind.option == option]
    capabilities = manifest.of_kind(StageKind.CAPABILITY)
    stages = [stage for stage in capabilities if stage.target.upper() in targets]
    pairs, used = [], set()
    for order, stage in enumerate(stages):
        number = _source(stage, order)
        if number < len(files):
            pairs.append((stage, files[number]))
            used.add(number)
    if len(used) < len(files):
        spare = next(number for number in range(len(files)) if number not in used)
        raise UsageError(
            f"--{option} {files[spare]}: no capability takes it",
            hint=f"this container has {len(stages)} of the kind {' or '.join(targets)}",
        )
    return pairs


def _source(stage: StageRecord, order: int) -> int:
    number = argument(stage, "source", int)
    if number is not None and number < 0:
        raise ContainerError(f"`{stage.name}`: `source` is {number}, expected 0 or more")
    return order if number is None else number


def _open(stage: StageRecord, path: Path) -> SensorSource:
    source: SensorSource = _reader(_reader_name(KINDS[stage.target.upper()].option, path))(stage, path)
    return source


def _reader_name(option: str, path: Path) -> str:
    return "npy" if path.suffix == ".npy" else option


def _reader(name: str) -> Callable[[StageRecord, Path], Any]:
    """`open_NAME` of the module NAME, imported now: most of them need NumPy, and the plainest does not."""
    reader: Callable[[StageRecord, Path], Any] = getattr(
        import_module(f"runtime.sensors.{name}"), f"open_{name}"
    )
    return reader


def _random(stages: Sequence[StageRecord], seeds: Sequence[int]) -> dict[str, SensorSource]:
    """Sources for the capabilities that no file feeds."""
    if not stages and not seeds:
        return {}
    from runtime.sensors.rand import RandomSource

    sources: dict[str, SensorSource] = {}
    for order, stage in enumerate(stages):
        if stage.target.upper() != RANDOM and not seeds:
            raise _missing(stage)
        sources[stage.name] = RandomSource(stage, _seed(stage, order, seeds))
    _check_spare(stages, seeds)
    return sources


def _seed(stage: StageRecord, order: int, seeds: Sequence[int]) -> int | tuple[int, int]:
    if not seeds:
        return argument(stage, "seed", int) or 0
    number = _source(stage, order) if stage.target.upper() == RANDOM else order
    if number < len(seeds):
        return _checked(seeds[number])
    return _checked(seeds[-1]), number - len(seeds) + 1


def _checked(seed: int) -> int:
    if seed < 0:
        raise UsageError(f"--random {seed}: a seed is 0 or more")
    return seed


def _check_spare(stages: Sequence[StageRecord], seeds: Sequence[int]) -> None:
    if len(seeds) > len(stages):
        raise UsageError(
            f"--random {seeds[len(stages)]}: no capability takes it",
            hint=f"the capabilities without a file are {len(stages)}",
        )


def _missing(stage: StageRecord) -> UsageError:
    kind = KINDS.get(stage.target.upper())
    if kind is None:
        known = ", ".join([*KINDS, RANDOM])
        return UsageError(
            f"the capability `{stage.name}` is a {stage.target}, which is none of {known}",
            hint="give random numbers with --random SEED",
        )
    return UsageError(
        f"the capability `{stage.name}` ({stage.target} {stage.outputs[0]}) has no input",
        hint=f"give it a file with --{kind.option} {kind.placeholder}, or random numbers with --random SEED",
    )
