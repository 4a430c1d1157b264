"""Readings from CSV files as people and loggers write them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from container.errors import ContainerError, SensorError
from container.manifest import StageRecord
from container.tensors import ElementType, TensorType
from runtime.sensors.accel import open_accel
from tests.runtime import guests
from tests.shared import shared_path


def accel(
    shape: tuple[int, ...] = (1, 2, 3, 1), element: ElementType = ElementType.F32, **arguments: Any
) -> StageRecord:
    return guests.capability("motion", TensorType(element, shape), "ACCEL", **arguments)


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3\n4,5,-6.5\n",
        "1,2,3\r\n4,5,-6.5",
        "x,y,z\n1,2,3\n4,5,-6.5\n",
        "1;2;3\n4;5;-6.5\n",
        "x;y;z\n1;2;3\n4;5;-6.5\n",
        "1\t2\t3\n4\t5\t-6.5\n",
        "  1   2 3\n4 5    -6.5  \n",
        "1, 2, 3\n\n4, 5, -65e-1\n\n",
        '"1","2","3"\n"4","5","-6.5"\n',
        "\ufeffx,y,z\n1,2,3\n4,5,-6.5\n",
    ],
)
def test_ways_to_write(tmp_path: Path, text: str) -> None:
    assert open_accel(accel(), write(tmp_path, text)).sample() == struct.pack("<6f", 1, 2, 3, 4, 5, -6.5)


def test_integers(tmp_path: Path) -> None:
    stage = accel(element=ElementType.I16)
    assert open_accel(stage, write(tmp_path, "1,2,3\n4,5.0,-600\n")).sample() == struct.pack(
        "<6h", 1, 2, 3, 4, 5, -600
    )


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [((6,), {}), ((6,), {"n": 2}), ((6,), {"samples": 2}), ((2, 3), {}), ((1, 2, 3, 1), {"n": 2})],
)
def test_shapes(tmp_path: Path, shape: tuple[int, ...], arguments: dict[str, Any]) -> None:
    found = open_accel(accel(shape, **arguments), write(tmp_path, "1,2,3\n4,5,6\n")).sample()
    assert found == struct.pack("<6f", 1, 2, 3, 4, 5, 6)


def test_two_axes(tmp_path: Path) -> None:
    assert open_accel(accel((3, 2)), write(tmp_path, "1,2\n3,4\n5,6\n")).sample() == struct.pack(
        "<6f", 1, 2, 3, 4, 5, 6
    )


def test_successive_windows_begin_again(tmp_path: Path) -> None:
    source = open_accel(accel((1, 3)), write(tmp_path, "1,2,3\n4,5,6\n"))
    assert [source.sample() for _ in range(3)] == [
        struct.pack("<3f", *row) for row in ((1, 2, 3), (4, 5, 6), (1, 2, 3))
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": has 0 readings, the capability `motion` takes 2 (F32[1,2,3,1])"),
        ("x,y,z\n1,2,3\n", ": has 1 readings, the capability `motion` takes 2 (F32[1,2,3,1])"),
        ("x,y,z\n1,2,3\n4,five,6\n", ":3: column 2 is 'five', expected a number"),
        ("1,2,3\n\n4,5\n", ":3: has 2 columns, expected 3"),
        ("1,2,3,4\n", ":1: has 4 columns, expected 3"),
        ("1,2,3\nx,y,z\n", ":2: column 1 is 'x', expected a number"),
        ("1,2,3\n4,5,\n", ":2: column 3 is '', expected a number"),
        ("1,2,3\n4,nan,6\n", ":2: column 2 is 'nan', expected a number"),
        ("1,2,3\n4,1e999,6\n", ":2: column 2 is '1e999', expected a number"),
        ("1,2,3\n4,1_0,6\n", ":2: column 2 is '1_0', expected a number"),
        ("1,2,3\n4,\u0661,6\n", ":2: column 2 is '\u0661', expected a number"),
        ("1,2,3\n" + "9" * 200_000 + ",2,3\n", ":2: "),
        ("1,2,3\n4,\0,6\n", ":2: "),
        (b"1,2,3\n\xff\xfe,2,3\n", ":2: column 1 is '\ufffd\ufffd', expected a number"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SensorError) as caught:
        open_accel(accel(), path)
    assert caught.value.message.startswith(f"{path}{message}")


@pytest.mark.parametrize(
    ("cell", "element"), [("0.5", ElementType.I16), ("40000", ElementType.I16), ("-1", ElementType.U8)]
)
def test_a_number_that_does_not_fit(tmp_path: Path, cell: str, element: ElementType) -> None:
    with pytest.raises(SensorError, match=f"which is no {element.value}"):
        open_accel(accel((1, 3), element), write(tmp_path, f"1,2,{cell}\n"))


@pytest.mark.parametrize(
    "stage",
    [accel((7,)), accel((6,), n=4), accel((6,), n=0), accel((6,), n=-1), accel((2, 3), ElementType.UTF8)],
)
def test_capabilities_that_make_no_sense(tmp_path: Path, stage: StageRecord) -> None:
    with pytest.raises(ContainerError):
        open_accel(stage, write(tmp_path, "1,2,3\n4,5,6\n"))


def test_a_gesture() -> None:
    path = shared_path("rune-corpus/accel/example_ring.csv")
    expected = np.loadtxt(path, delimiter=",", dtype=np.float32)[:128]
    assert open_accel(accel((1, 128, 3, 1), n=128), path).sample() == expected.tobytes()
