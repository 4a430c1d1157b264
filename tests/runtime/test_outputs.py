"""What leaves a pipeline: JSON lines and files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.abi import Profile
from container.errors import ContainerError
from container.manifest import Manifest
from container.tensors import ElementType, TensorType
from runtime.outputs.serial import line
from runtime.outputs.tensor import write_tensors
from tests.runtime import guests


def manifest_of(*kinds: TensorType, target: str = "SERIAL", **arguments: str) -> Manifest:
    from dataclasses import replace

    sensor = guests.capability("sensor", kinds[0])
    stage = replace(guests.out("serial", *kinds, of="sensor", target=target), arguments=arguments)
    return guests.manifest(sensor, stage, profiles=[Profile.SIMD])


def line_of(kind: TensorType, data: bytes) -> str:
    return line(manifest_of(kind), {0: data}, 0)


def values_of(kind: TensorType, data: bytes) -> str:
    text = line_of(kind, data)
    return text[text.index('"values":') + 9 : -len('}]},"seq":0}')]


def test_the_line_of_the_contract() -> None:
    values = [-128, -128, -30, -128, -128, -128, -128, -128, -128, -98, -128, -128]
    assert line_of(TensorType(ElementType.I8, (1, 12)), np.array(values, np.int8).tobytes()) == (
        '{"outputs":{"serial":[{"dtype":"i8","shape":[1,12],'
        '"values":[-128,-128,-30,-128,-128,-128,-128,-128,-128,-98,-128,-128]}]},"seq":0}'
    )


def test_several_outputs_in_order() -> None:
    byte = TensorType(ElementType.U8, (1,))
    first = guests.capability("sensor", byte)
    stages = guests.out("zeta", byte, byte, of="sensor"), guests.out("alpha", byte, of="sensor", port=2)
    text = line(guests.manifest(first, *stages), {0: b"\0", 1: b"\1", 2: b"\2"}, 41)
    assert text == (
        '{"outputs":{"alpha":[{"dtype":"u8","shape":[1],"values":[2]}],"zeta":[{"dtype":"u8","shape":[1],'
        '"values":[0]},{"dtype":"u8","shape":[1],"values":[1]}]},"seq":41}'
    )


def test_a_pin_is_a_part_of_the_line() -> None:
    kind = TensorType(ElementType.U16, (1,))
    text = line(manifest_of(kind, target="PIN"), {0: b"\x2c\x01"}, 0)
    assert text == '{"outputs":{"serial":[{"dtype":"u16","shape":[1],"values":[300]}]},"seq":0}'


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, "0.1"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (0.69727874, "0.69727874"),
        (16777216.0, "16777216.0"),
        (3.4028235e38, "3.4028235e+38"),
        (1e-45, "1e-45"),
        (float("nan"), '"NaN"'),
        (float("inf"), '"Infinity"'),
        (float("-inf"), '"-Infinity"'),
    ],
)
def test_floats(number: float, text: str) -> None:
    assert values_of(TensorType(ElementType.F32, (1,)), struct.pack("<f", number)) == f"[{text}]"


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_and_no_shorter_text_does(number: float) -> None:
    text = values_of(TensorType(ElementType.F32, (1,)), struct.pack("<f", number))[1:-1]
    assert struct.pack("<f", float(text)) == struct.pack("<f", number)
    digits = len(text.split("e")[0].replace("-", "").replace(".", "").strip("0"))
    shorter = f"{number:.{max(digits - 2, 0)}e}"
    assert digits < 2 or float(np.float32(shorter)) != number


@given(st.floats())
def test_doubles_read_back(number: float) -> None:
    text = values_of(TensorType(ElementType.F64, (1,)), struct.pack("<d", number))
    (value,) = json.loads(text)
    assert np.array_equal(float(value), number, equal_nan=True)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"ja\0\0\0\0\0\0", '["ja"]'),
        ("né".encode() + bytes(5), '["né"]'),
        (b'"\\\n\t\x00xx', r'["\"\\\n\t"]'),
        (b"\x1b[2J\x7f\0\0\0", r'["\u001b[2J\u007f"]'),
        ("a\u009b\u202eb".encode() + b"\0", r'["a\u009b\u202eb"]'),
        ("\U000e0001".encode() + bytes(4), r'["\udb40\udc01"]'),
        (b"\xff\xfea" + bytes(5), '["\ufffd\ufffda"]'),
    ],
)
def test_text(data: bytes, text: str) -> None:
    assert values_of(TensorType(ElementType.UTF8, (1,), width=len(data)), data) == text


@given(st.binary(min_size=16, max_size=16), st.sampled_from(list(ElementType)))
def test_every_line_is_json_on_one_line(data: bytes, element: ElementType) -> None:
    width = 4 if element is ElementType.UTF8 else None
    kind = TensorType(element, (16 // (width or element.bytes),), width=width)
    text = line_of(kind, data)
    assert text.isprintable()
    value = json.loads(text)
    assert len(value["outputs"]["serial"][0]["values"]) == kind.count


def test_a_tensor_goes_to_its_file(tmp_path: Path) -> None:
    manifest = manifest_of(guests.FOUR_BYTES, target="TENSOR")
    assert write_tensors(manifest, {0: b"1234"}, tmp_path) == [tmp_path / "serial.bin"]
    write_tensors(manifest, {0: b"5678"}, tmp_path)
    assert (tmp_path / "serial.bin").read_bytes() == b"5678"
    assert line(manifest, {0: b"1234"}, 3) == '{"outputs":{},"seq":3}'


def test_a_tensor_s_file_is_named(tmp_path: Path) -> None:
    manifest = manifest_of(guests.FOUR_BYTES, guests.FOUR_BYTES, target="tensor", file="scores.raw")
    write_tensors(manifest, {0: b"1234", 1: b"5678"}, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "scores.0.raw": b"1234",
        "scores.1.raw": b"5678",
    }


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd.bin", "../up.bin", "sub/x.bin", ".bin", ".x.bin", "run.sh", "x", "", "a\n.bin", "a\0.bin"],
)
def test_a_container_does_not_choose_where_to_write(tmp_path: Path, name: str) -> None:
    manifest = manifest_of(guests.FOUR_BYTES, target="TENSOR", file=name)
    with pytest.raises(ContainerError) as caught:
        write_tensors(manifest, {0: b"1234"}, tmp_path)
    assert caught.value.message == f"the output `serial` would write to {name!r}"
    assert list(tmp_path.iterdir()) == []
