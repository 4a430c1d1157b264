"""Whatever a file holds, a command ends with a message and one of our exit codes: never a traceback."""

from __future__ import annotations

import io
import shutil
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from container.errors import ExitCode
from container.tensors import ElementType, TensorType
from tests.rune.commands import EXAMPLES, rune
from tests.rune.guests import guest_file
from tests.runtime.guests import ECHO, capability, out

CODES = set(ExitCode) - {ExitCode.INTERRUPTED}
SAMPLE = TensorType(ElementType.I8, (1, 2, 2, 1))
SOUND = TensorType(ElementType.I16, (2,))
ACCEL = TensorType(ElementType.F32, (1, 3))
slow = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
quick = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])

changes = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4)), max_size=6)
"""Places in a file, as fractions of its length, and what is written there."""
cuts = st.one_of(st.just(1.0), st.floats(0, 1))
"""How much of the file is left."""


def mutated(data: bytes, places: list[tuple[float, bytes]], cut: float) -> bytes:
    content = bytearray(data)
    for place, change in places:
        position = int(place * len(content))
        content[position : position + len(change)] = change
    return bytes(content[: int(cut * len(content))])


def assert_ends_well(*arguments: str | Path) -> None:
    result = rune(*arguments)
    assert result.exit_code in CODES
    assert "internal error" not in result.output
    assert "Traceback" not in result.output
    assert result.exit_code == ExitCode.OK or result.stderr or "--json" in arguments


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def container(folder: Path) -> bytes:
    return guest_file(folder, golden=bytes([1, 2, 3, 4])).read_bytes()


@quick
@given(places=changes, cut=cuts)
def test_containers_that_are_looked_at(
    container: bytes, folder: Path, places: list[tuple[float, bytes]], cut: float
) -> None:
    file = folder / "mutated.rune"
    file.write_bytes(mutated(container, places, cut))
    assert_ends_well("inspect", file)
    assert_ends_well("graph", file)


@slow
@given(places=changes, cut=cuts)
def test_containers_that_are_run(
    container: bytes, folder: Path, places: list[tuple[float, bytes]], cut: float
) -> None:
    file = folder / "run.rune"
    file.write_bytes(mutated(container, places, cut))
    assert_ends_well("verify", file, "--deadline", "0.5")


@quick
@given(places=changes, cut=cuts)
def test_runefiles(folder: Path, places: list[tuple[float, bytes]], cut: float) -> None:
    file = folder / "Runefile"
    file.write_bytes(mutated((EXAMPLES / "digits" / "Runefile").read_bytes(), places, cut))
    assert_ends_well("check", file)
    assert_ends_well("check", file, "--json")
    assert_ends_well("fmt", "--to", "yaml", file)


@quick
@given(text=st.text(max_size=200))
def test_yaml(folder: Path, text: str) -> None:
    file = folder / "Runefile.yml"
    file.write_text(f"version: 1\nimage: runicos/base\npipeline:\n  {text}", errors="replace")
    assert_ends_well("check", file)
    assert_ends_well("fmt", "--to", "text", file)


@quick
@given(places=changes, cut=cuts)
def test_models(folder: Path, places: list[tuple[float, bytes]], cut: float) -> None:
    work = folder / "models"
    work.mkdir(exist_ok=True)
    shutil.copy(EXAMPLES / "digits" / "Runefile", work)
    model = (EXAMPLES / "digits" / "digits.tflite").read_bytes()
    (work / "digits.tflite").write_bytes(mutated(model, places, cut))
    assert_ends_well("check", work)


def wav() -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(64))
    return data.getvalue()


def npy() -> bytes:
    data = io.BytesIO()
    np.save(data, np.zeros((1, 2, 2, 1), np.int8))
    return data.getvalue()


@pytest.mark.parametrize(
    ("option", "kind", "suffix", "seed"),
    [
        ("--image", SAMPLE, ".png", (EXAMPLES / "digits" / "seven.png").read_bytes()),
        ("--raw", SAMPLE, ".npy", npy()),
        ("--raw", SAMPLE, ".raw", bytes(4)),
        ("--sound", SOUND, ".wav", wav()),
        ("--accel", ACCEL, ".csv", b"x,y,z\n1.5,-2,3e1\n"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("--") else "",
)
@slow
@given(places=changes, cut=cuts)
def test_sensor_files(
    option: str,
    kind: TensorType,
    suffix: str,
    seed: bytes,
    folder: Path,
    places: list[tuple[float, bytes]],
    cut: float,
) -> None:
    guest = guest_file(
        folder,
        ECHO,
        capability("sensor", kind, target=option[2:].upper(), hz=16000),
        out("serial", kind, of="sensor"),
    )
    file = folder / f"sample{suffix}"
    file.write_bytes(mutated(seed, places, cut))
    assert_ends_well("run", guest, option, file, "--deadline", "2")
