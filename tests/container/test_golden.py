"""Golden vectors: exact bytes back, and nothing but what fits the pipeline."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.errors import ContainerError
from container.golden import GoldenVector, encode, parse
from tests.container import samples

MANIFEST = samples.manifest()
VECTOR = GoldenVector(
    {"features": b"\1\2\3\xff"}, {0: b"yes\0\0\0\0\0", 1: struct.pack("<2f", 0.25, 0.75)}, "seed 0"
)
EMPTY = encode([])


def test_layout() -> None:
    header = b'{"vectors":[{"inputs":{"features":4},"origin":"seed 0","outputs":{"0":8,"1":8}}]}'
    data = b"\1\2\3\xffyes\0\0\0\0\0\x00\x00\x80\x3e\x00\x00\x40\x3f"
    assert encode([VECTOR]) == struct.pack("<I", len(header)) + header + data


@given(
    st.lists(st.tuples(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)), max_size=4)
)
def test_vectors_come_back(values: list[tuple[bytes, bytes]]) -> None:
    vectors = tuple(
        GoldenVector({"features": given}, {0: expected[:8], 1: expected[8:]}, f"seed {number}")
        for number, (given, expected) in enumerate(values)
    )
    assert parse(encode(vectors), MANIFEST) == vectors


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (GoldenVector({}, VECTOR.outputs), "golden vector 0: the input 'features' is missing"),
        (GoldenVector({"x": b"", **VECTOR.inputs}, VECTOR.outputs), "the pipeline has no input 'x'"),
        (GoldenVector({"features": b"123"}, VECTOR.outputs), "'features' has 3 bytes, the pipeline takes 4"),
        (GoldenVector(VECTOR.inputs, {0: b"12345678"}), "the output '1' is missing"),
        (GoldenVector(VECTOR.inputs, {**VECTOR.outputs, 2: b""}), "the pipeline has no output '2'"),
    ],
)
def test_vectors_of_another_pipeline(vector: GoldenVector, message: str) -> None:
    with pytest.raises(ContainerError) as caught:
        parse(encode([vector]), MANIFEST)
    assert message in caught.value.message


def section(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<I", len(header)) + header + data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "golden vectors: cut short"),
        (b"\xff\xff\xff\xff{}", "golden vectors: cut short"),
        (section(b"{}"), "golden vectors: vectors: is missing"),
        (section(b"[]"), "golden vectors: top level: expected an object"),
        (
            section(b'{"vectors":[{"inputs":{"features":-1},"outputs":{}}]}'),
            "a value of -1 bytes where 0 are left",
        ),
        (
            section(b'{"vectors":[{"inputs":{"features":4000000000},"outputs":{}}]}'),
            "a value of 4,000,000,000 bytes",
        ),
        (section(b'{"vectors":[{"inputs":{},"outputs":{"01":0}}]}'), "an output has the number '01'"),
        (section(b'{"vectors":[{"inputs":{},"outputs":{"x":0}}]}'), "an output has the number 'x'"),
        (EMPTY + b"1", "golden vectors: 1 bytes too many at the end"),
    ],
)
def test_broken_sections(data: bytes, message: str) -> None:
    with pytest.raises(ContainerError) as caught:
        parse(data, MANIFEST)
    assert message in caught.value.message


@given(st.data())
def test_a_mutated_section_reads_or_is_refused(data: st.DataObject) -> None:
    text = bytearray(encode([VECTOR, VECTOR]))
    position = data.draw(st.integers(0, len(text) - 1))
    text[position : position + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        vectors = parse(bytes(text), MANIFEST)
    except ContainerError:
        return
    assert all(len(vector.inputs["features"]) == 4 for vector in vectors)
