"""Mutated files of every kind: an answer or an error of ours, never a traceback, and never for long."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from container.abi import Profile
from container.errors import RuneError
from container.manifest import StageRecord
from container.sections import Container, seal
from container.tensors import ElementType, TensorType
from runtime.application import Application
from runtime.limits import Limits
from runtime.sensors.accel import open_accel
from runtime.sensors.image import open_image
from runtime.sensors.npy import open_npy
from runtime.sensors.raw import open_raw
from runtime.sensors.sound import open_sound
from runtime.sensors.source import SensorSource
from tests.runtime import guests

T = TypeVar("T")
Opener = Callable[[StageRecord, Path], SensorSource]
PIXELS = guests.capability("x", TensorType(ElementType.U8, (1, 4, 4, 3)))
SAMPLES = guests.capability("x", TensorType(ElementType.I16, (1, 20)))
READINGS = guests.capability("x", TensorType(ElementType.F32, (2, 3)))


def wav() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((2, 2, 44_100, 0, "NONE", ""))
        file.writeframes(bytes(range(240)) * 2)
    return buffer.getvalue()


def picture(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(buffer, form)
    return buffer.getvalue()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(6, dtype=np.float32).reshape(2, 3))
    return buffer.getvalue()


@st.composite
def mutated(draw: st.DrawFn, original: bytes) -> bytes:
    """Bytes with a few places replaced, removed, inserted or the end cut off."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        # Half of the changes go to the beginning, where headers are.
        position = draw(st.one_of(st.integers(0, min(64, len(data))), st.integers(0, len(data))))
        data[position : position + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(data[: draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))])


@st.composite
def replaced(draw: st.DrawFn, original: bytes) -> bytes:
    """Bytes of the same number, a few of them others: lengths stay right, and what they frame is reached."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


SEEDS: dict[str, tuple[Opener, StageRecord, bytes]] = {
    "wav": (open_sound, SAMPLES, wav()),
    "csv": (open_accel, READINGS, b"x,y,z\n1,2,3\n4.5,-5e3,6\n"),
    "npy": (open_npy, READINGS, npy()),
    "raw": (open_raw, READINGS, bytes(24)),
    **{
        form: (open_image, PIXELS, picture(form))
        for form in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
    },
}


@pytest.mark.parametrize("seed", SEEDS.values(), ids=SEEDS)
@settings(
    max_examples=1500,
    derandomize=False,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_mutated_files(tmp_path: Path, seed: tuple[Opener, StageRecord, bytes], data: st.DataObject) -> None:
    opener, stage, original = seed
    path = tmp_path / "x"
    path.write_bytes(original)
    assert len(opener(stage, path).sample()) == stage.outputs[0].bytes
    path.write_bytes(data.draw(mutated(original)))
    sample = or_error(lambda: opener(stage, path).sample())
    if isinstance(sample, RuneError):
        assert str(path) in sample.message
    else:
        assert len(sample) == stage.outputs[0].bytes


SEALED = seal(guests.manifest(), {Profile.SIMD: guests.module(guests.ECHO)})


@settings(max_examples=400, derandomize=False, database=None)
@given(st.one_of(mutated(SEALED), replaced(SEALED)))
def test_mutated_containers_run_or_are_refused(data: bytes) -> None:
    outcome = or_error(lambda: run(Container.parse(data)))
    assert isinstance(outcome, RuneError) or outcome.keys() == {0}


@settings(max_examples=400, derandomize=False, database=None)
@given(replaced(guests.module(guests.ECHO)))
def test_mutated_code_runs_or_is_refused(code: bytes) -> None:
    """The manifest stays whole, so that more of the code is reached."""
    outcome = or_error(lambda: run(guests.container(code)))
    assert isinstance(outcome, RuneError) or [len(value) for value in outcome.values()] == [4]


def or_error(action: Callable[[], T]) -> T | RuneError:
    """What the action gives, or the error of ours that it ends in; any other exception fails the test."""
    try:
        return action()
    except RuneError as error:
        return error


def run(container: Container) -> Mapping[int, bytes]:
    samples = {stage.name: bytes(stage.outputs[0].bytes) for stage in container.manifest.sources.values()}
    with Application(container, limits=Limits(deadline_s=0.3)) as application:
        return application.infer(samples).outputs
