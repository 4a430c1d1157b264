"""Which file feeds which capability, raw bytes, arrays and random numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from container.errors import ContainerError, ExitCode, RuneError, SensorError, UsageError
from container.manifest import Manifest, StageRecord
from container.tensors import ElementType, TensorType
from runtime.sensors.choice import SensorOptions, open_sensors
from runtime.sensors.npy import open_npy
from runtime.sensors.rand import RandomSource
from runtime.sensors.raw import open_raw
from tests.runtime import guests

BYTE = TensorType(ElementType.U8, (1,))
RAND = guests.capability("noise", TensorType(ElementType.F32, (4,)), "RAND")


def pipeline(*sensors: StageRecord) -> Manifest:
    numbered = [
        guests.capability(stage.name, stage.outputs[0], stage.target, port, **stage.arguments)
        for port, stage in enumerate(sensors)
    ]
    return guests.manifest(*numbered, guests.out("serial", sensors[0].outputs[0], of=sensors[0].name))


def raw(name: str, **arguments: int) -> StageRecord:
    return guests.capability(name, BYTE, "raw", **arguments)


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{letter}.bin" for letter in "abc"]
    for path in paths:
        path.write_bytes(path.stem.encode())
    return paths


def samples(manifest: Manifest, options: SensorOptions) -> dict[str, bytes]:
    return {name: source.sample() for name, source in open_sensors(manifest, options).items()}


def test_files_in_the_order_of_the_runefile(files: list[Path]) -> None:
    assert samples(pipeline(raw("x"), raw("y")), SensorOptions(raw=files[:2])) == {"x": b"a", "y": b"b"}


def test_files_by_source(files: list[Path]) -> None:
    manifest = pipeline(raw("x", source=2), raw("y", source=0), raw("z", source=1))
    assert samples(manifest, SensorOptions(raw=files)) == {"x": b"c", "y": b"a", "z": b"b"}


def test_a_board_s_own_sensors_share_the_option_of_raw(tmp_path: Path) -> None:
    np.save(tmp_path / "light.npy", np.array([700, 9], np.uint16))
    (tmp_path / "warmth.bin").write_bytes(np.float32(21.5).tobytes())
    (tmp_path / "byte.bin").write_bytes(b"x")
    manifest = pipeline(
        guests.capability("warmth", TensorType(ElementType.F32, (1,)), "TEMPERATURE"),
        raw("byte"),
        guests.capability("light", TensorType(ElementType.U16, (2,)), "ADC", channel=3),
    )
    files = [tmp_path / name for name in ("warmth.bin", "byte.bin", "light.npy")]
    found = samples(manifest, SensorOptions(raw=files))
    assert found == {"warmth": b"\x00\x00\xac\x41", "byte": b"x", "light": b"\xbc\x02\x09\x00"}


def test_one_file_for_two(files: list[Path]) -> None:
    manifest = pipeline(raw("x", source=0), raw("y", source=0))
    assert samples(manifest, SensorOptions(raw=files[:1])) == {"x": b"a", "y": b"a"}


def test_a_missing_file(files: list[Path]) -> None:
    with pytest.raises(UsageError) as caught:
        open_sensors(pipeline(raw("x"), raw("y")), SensorOptions(raw=files[:1]))
    assert caught.value.message == "the capability `y` (raw U8[1]) has no input"
    assert caught.value.hint == "give it a file with --raw FILE, or random numbers with --random SEED"


def test_a_superfluous_file(files: list[Path]) -> None:
    with pytest.raises(UsageError) as caught:
        open_sensors(pipeline(raw("x")), SensorOptions(raw=files[:2]))
    assert caught.value.message == f"--raw {files[1]}: no capability takes it"
    assert caught.value.hint == "this container has 1 of the kind RAW or TEMPERATURE or ADC"
    with pytest.raises(UsageError, match=r"--sound .*a\.bin: no capability takes it"):
        open_sensors(pipeline(raw("x")), SensorOptions(raw=files[:1], sound=files[:1]))


def test_an_unknown_kind() -> None:
    manifest = pipeline(guests.capability("x", BYTE, "RADAR"))
    known = "SOUND, IMAGE, ACCEL, RAW, TEMPERATURE, ADC, RAND"
    with pytest.raises(UsageError, match=f"is a RADAR, which is none of {known}"):
        open_sensors(manifest, SensorOptions())
    assert len(samples(manifest, SensorOptions(random=[1]))["x"]) == 1


@pytest.mark.parametrize("source", [-1, "first", True])
def test_a_source_that_is_no_number(source: int, files: list[Path]) -> None:
    with pytest.raises(ContainerError, match="`source` is"):
        open_sensors(pipeline(raw("x", source=source)), SensorOptions(raw=files[:1]))


def floats(data: bytes) -> list[float]:
    return [float(value) for value in np.frombuffer(data, "<f4")]


def test_a_seed_is_numpy_s() -> None:
    expected = np.random.default_rng(7).random(8, dtype=np.float32).tolist()
    source = open_sensors(pipeline(RAND), SensorOptions(random=[7]))["noise"]
    assert floats(source.sample() + source.sample()) == expected


def test_the_seed_by_default() -> None:
    assert floats(samples(pipeline(RAND), SensorOptions())["noise"]) == floats(
        np.random.default_rng(0).random(4, dtype=np.float32).tobytes()
    )
    seeded = guests.capability("noise", RAND.outputs[0], "RAND", seed=5)
    assert samples(pipeline(seeded), SensorOptions()) == samples(pipeline(RAND), SensorOptions(random=[5]))


def test_several_seeds_and_what_follows_the_last() -> None:
    three = [guests.capability(name, RAND.outputs[0], "RAND") for name in "abc"]
    found = samples(pipeline(*three), SensorOptions(random=[3, 4]))
    seeds: list[int | list[int]] = [3, 4, [4, 1]]
    assert list(found.values()) == [
        np.random.default_rng(seed).random(4, dtype=np.float32).tobytes() for seed in seeds
    ]


def test_superfluous_and_negative_seeds() -> None:
    with pytest.raises(UsageError, match="--random 2: no capability takes it"):
        open_sensors(pipeline(RAND), SensorOptions(random=[1, 2]))
    with pytest.raises(UsageError, match="--random -1: a seed is 0 or more"):
        open_sensors(pipeline(RAND), SensorOptions(random=[-1]))


def test_random_numbers_for_what_has_no_file(files: list[Path]) -> None:
    found = samples(pipeline(raw("x"), raw("y")), SensorOptions(raw=files[:1], random=[9]))
    expected = np.random.default_rng(9).integers(0, 255, 1, np.uint8, endpoint=True)
    assert found == {"x": b"a", "y": expected.tobytes()}


@pytest.mark.parametrize("element", [element for element in ElementType if element.is_integer])
def test_integers_cover_their_range(element: ElementType) -> None:
    kind = TensorType(element, (4000,))
    drawn = np.frombuffer(RandomSource(guests.capability("x", kind), 0).sample(), element.dtype)
    limits = np.iinfo(element.dtype)
    width = float(limits.max) - float(limits.min)
    assert float(drawn.min()) < float(limits.min) + width / 100
    assert float(drawn.max()) > float(limits.max) - width / 100


def test_text_is_not_made_at_random() -> None:
    with pytest.raises(UsageError, match="is text, which is not made at random"):
        RandomSource(guests.capability("x", TensorType(ElementType.UTF8, (1,), width=4)), 0)


def test_raw_repeats(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"\1\2\3\xff")
    source = open_raw(guests.capability("x", guests.FOUR_BYTES), path)
    assert [source.sample(), source.sample()] == [b"\1\2\3\xff"] * 2


@pytest.mark.parametrize("data", [b"", b"123", b"12345"])
def test_raw_of_another_length(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    with pytest.raises(SensorError) as caught:
        open_raw(guests.capability("x", guests.FOUR_BYTES), path)
    assert caught.value.message == f"{path}: has {len(data)} bytes, the capability `x` takes 4 (I8[1,4])"
    assert caught.value.exit_code is ExitCode.FAILED


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RuneError, match=r"x\.bin: cannot be read: No such file or directory"):
        open_raw(guests.capability("x", BYTE), tmp_path / "x.bin")


def test_npy_feeds_any_kind(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[1, 2, 3, -4]], np.int8))
    for target in ("SOUND", "IMAGE", "ACCEL", "RAW"):
        manifest = pipeline(guests.capability("x", guests.FOUR_BYTES, target))
        options: dict[str, Any] = {target.lower(): [tmp_path / "x.npy"]}
        found = samples(manifest, SensorOptions(**options))
        assert found == {"x": b"\1\2\3\xfc"}


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4), np.int8), "cannot feed the capability `x`: has the shape [4, 4], expected [1, 4]"),
        (np.full(4, 0.5), "has the element type float64, expected int8, which cannot hold 0.5 at [0]"),
        (np.array(["a"]), "has the element type <U1, expected int8"),
        (np.array([{}], object), "is no array that can be read: Object arrays cannot be loaded"),
    ],
)
def test_npy_of_another_type(
    tmp_path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.int8]], message: str
) -> None:
    path = tmp_path / "x.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(SensorError) as caught:
        open_npy(guests.capability("x", guests.FOUR_BYTES), path)
    assert caught.value.message.startswith(f"{path}: ")
    assert message in caught.value.message


def test_npy_of_columns_first(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[1, 2], [3, 4]], np.int8, order="F"))
    stage = guests.capability("x", TensorType(ElementType.I8, (2, 2)))
    assert open_npy(stage, tmp_path / "x.npy").sample() == b"\1\2\3\4"


def npy_header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
        npy_header("{'descr': '|i1', 'fortran_order': False, 'shape': (99999999999999,), }"),
        npy_header("{'descr': '|i1', 'fortran_order': False, 'shape': (-1,), }"),
        npy_header("{'descr': '|i1', 'fortran_order': False, 'shape': (4,), }"),
        npy_header("__import__('os')"),
    ],
)
def test_npy_that_is_damaged(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    with pytest.raises(SensorError):
        open_npy(guests.capability("x", guests.FOUR_BYTES), path)
