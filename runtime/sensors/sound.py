"""SOUND: a recording, mixed down to one channel and resampled to the rate of the capability.

The argument `hz` is the rate (16,000 where it is not given), and the type says how many samples one
inference takes: a longer recording gives one window after the other, a shorter one is refused.  Full scale is
the range of an integer type, and -1..1 of a float; 16-bit recordings of the right rate pass unchanged.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from container.arrays import Array, to_bytes
from container.errors import ContainerError
from container.files import read_bounded
from container.manifest import StageRecord
from container.tensors import TensorType
from runtime.sensors.source import MAXIMUM_FILE_BYTES, SensorSource, Windows, argument, unfit

DEFAULT_HZ = 16_000
RATES_HZ = (1_000, 768_000)
"""Rates that are believed: a damaged header must not make a second into hours."""
MAXIMUM_SAMPLES = 64 << 20
"""Of all channels together: more than an hour of stereo at 16 kHz is not needed for one inference."""


def open_sound(stage: StageRecord, path: Path) -> SensorSource:
    """Raises SensorError when the file is no recording, or too short."""
    kind = stage.outputs[0]
    if not (kind.element.is_float or kind.element.is_integer):
        raise ContainerError(f"`{stage.name}`: SOUND gives numbers, not {kind}")
    wanted_hz = argument(stage, "hz", int) or DEFAULT_HZ
    if not RATES_HZ[0] <= wanted_hz <= RATES_HZ[1]:
        raise ContainerError(f"`{stage.name}`: `hz` is {wanted_hz}, expected {RATES_HZ[0]} to {RATES_HZ[1]}")
    samples, hz = _read(path)
    resampled = _resample(path, samples.mean(axis=1), hz, wanted_hz)
    if len(resampled) < kind.count:
        raise unfit(
            path,
            f"has {_duration(len(resampled), wanted_hz)}, the capability `{stage.name}` takes "
            f"{_duration(kind.count, wanted_hz)}",
            hint="use a longer recording, or add silence at its end",
        )
    whole = resampled[: len(resampled) // kind.count * kind.count]
    return Windows(_scale(kind, whole), kind.bytes)


def _read(path: Path) -> tuple[Array, int]:
    """Samples in -1..1 as (frames, channels), and their rate in Hz."""
    import soundfile

    data = read_bounded(path, MAXIMUM_FILE_BYTES)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            hz, frames = file.samplerate, file.frames
            _check_header(path, hz, frames, file.channels)
            samples: Array = file.read(frames, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, ValueError, TypeError) as error:
        reason = str(error).rsplit(": ", 1)[-1]
        raise unfit(path, f"is no recording that can be read: {reason}", hint="WAV is understood") from None
    if not np.isfinite(samples).all():
        raise unfit(path, "holds samples that are not finite")
    return samples, hz


def _check_header(path: Path, hz: int, frames: int, channels: int) -> None:
    if not RATES_HZ[0] <= hz <= RATES_HZ[1]:
        raise unfit(path, f"says that its rate is {hz:,} Hz, expected {RATES_HZ[0]:,} to {RATES_HZ[1]:,}")
    if frames * channels > MAXIMUM_SAMPLES:
        raise unfit(path, f"has {frames * channels:,} samples, the most that is read is {MAXIMUM_SAMPLES:,}")


def _resample(path: Path, samples: Array, hz: int, wanted_hz: int) -> Array:
    if hz == wanted_hz:
        return samples
    if len(samples) * wanted_hz > MAXIMUM_SAMPLES * hz:
        raise unfit(path, f"is too long to be resampled from {hz:,} Hz to {wanted_hz:,} Hz")
    import soxr

    resampled: Array = soxr.resample(samples, hz, wanted_hz)
    return resampled


def _scale(kind: TensorType, samples: Array) -> bytes:
    """From -1..1 to the type's range.  Unsigned integers have silence in the middle of their range."""
    flat = TensorType(kind.element, samples.shape)
    if kind.element.is_float:
        return to_bytes(flat, samples.astype(kind.element.dtype))
    bits = kind.element.bytes * 8
    limits = np.iinfo(kind.element.dtype)
    middle = 0 if limits.min < 0 else 2 ** (bits - 1)
    # The largest double below 2^63 and 2^64 is smaller than the largest integer; np.nextafter finds it.
    highest = float(limits.max) if bits <= 32 else np.nextafter(float(limits.max), 0)
    scaled = np.clip(np.rint(samples * 2.0 ** (bits - 1)) + middle, limits.min, highest)
    return to_bytes(flat, scaled.astype(kind.element.dtype))


def _duration(samples: int, hz: int) -> str:
    return f"{samples * 1000 / hz:,.4g} ms ({samples:,} samples at {hz:,} Hz)"
