"""Recordings of every kind become the samples that the capability declares."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from container.errors import ContainerError, SensorError
from container.manifest import StageRecord
from container.tensors import ElementType, TensorType
from runtime.sensors.sound import open_sound
from tests.runtime import guests
from tests.shared import shared_path


def sound(samples: int, element: ElementType = ElementType.I16, **arguments: int) -> StageRecord:
    return guests.capability("audio", TensorType(element, (1, samples)), "SOUND", **arguments)


def write_wav(path: Path, samples: list[int], *, hz: int = 16_000, channels: int = 1, width: int = 2) -> Path:
    """With the standard library, so that the reader is not tested against itself."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(hz)
        file.writeframes(b"".join(sample.to_bytes(width, "little", signed=width > 1) for sample in samples))
    return path


def read(stage: StageRecord, path: Path) -> list[float]:
    data = open_sound(stage, path).sample()
    values: list[float] = np.frombuffer(data, stage.outputs[0].element.dtype).tolist()
    return values


def test_sixteen_bits_pass_unchanged(tmp_path: Path) -> None:
    values = [0, 1, -1, 32767, -32768, 12345]
    assert read(sound(6), write_wav(tmp_path / "x.wav", values)) == values


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (ElementType.I16, [0, 16384, -32768]),
        (ElementType.I8, [0, 64, -128]),
        (ElementType.U8, [128, 192, 0]),
        (ElementType.I32, [0, 1 << 30, -(1 << 31)]),
        (ElementType.U64, [1 << 63, 3 << 62, 0]),
        (ElementType.F32, [0.0, 0.5, -1.0]),
        (ElementType.F64, [0.0, 0.5, -1.0]),
    ],
)
def test_scales(tmp_path: Path, element: ElementType, expected: list[float]) -> None:
    assert read(sound(3, element), write_wav(tmp_path / "x.wav", [0, 16384, -32768])) == expected


@pytest.mark.parametrize(
    ("width", "samples"), [(1, [128, 192, 0]), (3, [0, 1 << 22, -(1 << 23)]), (4, [0, 1 << 30, -(1 << 31)])]
)
def test_sample_widths(tmp_path: Path, width: int, samples: list[int]) -> None:
    if width == 1:
        path = tmp_path / "x.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 1, 16_000, 0, "NONE", ""))
            file.writeframes(bytes(samples))
    else:
        path = write_wav(tmp_path / "x.wav", samples, width=width)
    assert read(sound(3), path) == [0, 16384, -32768]


@pytest.mark.parametrize("form", ["FLOAT", "DOUBLE", "PCM_24"])
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
def test_float_and_extensible(tmp_path: Path, form: str, container: str) -> None:
    soundfile.write(tmp_path / "x.wav", [0.0, 0.5, -1.0], 16_000, subtype=form, format=container)
    assert read(sound(3), tmp_path / "x.wav") == [0, 16384, -32768]


def test_too_loud_is_cut_off(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", [2.0, -2.0, 1.0], 16_000, subtype="FLOAT")
    assert read(sound(3), tmp_path / "x.wav") == [32767, -32768, 32767]
    assert read(sound(3, ElementType.U64), tmp_path / "x.wav")[1:2] == [0]


def test_mixed_down(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "x.wav", [100, 200, -50, 50, 32767, 32767], channels=2)
    assert read(sound(3), path) == [150, 0, 32767]


def tone(hz: int, rate: int, count: int) -> list[int]:
    return [round(10_000 * math.sin(2 * math.pi * hz * index / rate)) for index in range(count)]


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_resampled(tmp_path: Path, rate: int) -> None:
    """A tone of 440 Hz is the same tone at another rate, away from the ends."""
    path = write_wav(tmp_path / "x.wav", tone(440, rate, rate), hz=rate)
    found = np.array(read(sound(15_900), path))
    expected = np.array(tone(440, 16_000, 15_900))
    assert np.abs(found - expected)[1_000:-1_000].max() <= 20


def test_another_rate_is_asked_for(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "x.wav", tone(440, 16_000, 16_000))
    assert len(read(sound(7_900, hz=8_000), path)) == 7_900


def test_successive_windows_begin_again(tmp_path: Path) -> None:
    source = open_sound(sound(2), write_wav(tmp_path / "x.wav", [1, 2, 3, 4, 5]))
    assert [np.frombuffer(source.sample(), "<i2").tolist() for _ in range(3)] == [[1, 2], [3, 4], [1, 2]]


def test_too_short_tells_both_lengths(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "x.wav", [0] * 800, hz=8_000)
    with pytest.raises(SensorError) as caught:
        open_sound(sound(16_000), path)
    assert caught.value.message == (
        f"{path}: has 100 ms (1,600 samples at 16,000 Hz), "
        "the capability `audio` takes 1,000 ms (16,000 samples at 16,000 Hz)"
    )
    assert caught.value.hint == "use a longer recording, or add silence at its end"


def header(hz: int = 16_000, channels: int = 1, data_bytes: int = 4) -> bytes:
    block = channels * 2
    about = struct.pack("<HHIIHH", 1, channels, hz, hz * block & 0xFFFFFFFF, block & 0xFFFF, 16)
    parts = (
        b"WAVEfmt " + struct.pack("<I", 16) + about + b"data" + struct.pack("<I", data_bytes) + b"\1\0\2\0"
    )
    return b"RIFF" + struct.pack("<I", len(parts)) + parts


def test_the_header_of_these_tests_is_sound(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(header())
    assert read(sound(2), tmp_path / "x.wav") == [1, 2]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no recording that can be read: "),
        (b"RIFF", "is no recording that can be read: "),
        (header()[:30], "is no recording that can be read: "),
        (header(hz=1), "says that its rate is 1 Hz, expected 1,000 to 768,000"),
        (header(hz=0xFFFFFFF0), ""),
        (header(channels=0), ""),
        (header(channels=60_000), ""),
        (header(data_bytes=0xFFFFFFFF), "has 0.125 ms (2 samples at 16,000 Hz)"),
        (header(data_bytes=0), "has 0 ms (0 samples at 16,000 Hz)"),
    ],
)
def test_hostile_headers(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(data)
    with pytest.raises(SensorError) as caught:
        open_sound(sound(100), path)
    assert caught.value.message.startswith(f"{path}: {message}")


def test_not_a_number(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", [0.0, float("nan")], 16_000, subtype="FLOAT")
    with pytest.raises(SensorError, match="holds samples that are not finite"):
        open_sound(sound(2), tmp_path / "x.wav")


@pytest.mark.parametrize(
    "stage", [sound(2, hz=1), guests.capability("t", TensorType(ElementType.UTF8, (2,), width=1))]
)
def test_capabilities_that_make_no_sense(tmp_path: Path, stage: StageRecord) -> None:
    with pytest.raises(ContainerError):
        open_sound(stage, write_wav(tmp_path / "x.wav", [1, 2]))


def test_a_spoken_word() -> None:
    path = shared_path("rune-corpus/audio/yes.wav")
    with wave.open(str(path)) as file:
        frames = file.readframes(16_000)
    assert open_sound(sound(16_000), path).sample() == frames
