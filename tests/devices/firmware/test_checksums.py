"""The firmware's SHA-256 and CRCs against the standard library's."""

from __future__ import annotations

import binascii
import ctypes
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.devices.firmware.model import EVEN, build_library

SHA256_STATE_BYTES = 256
"""More than `struct sha256` has."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return ctypes.CDLL(str(build_library(tmp_path_factory.mktemp("checksums"), EVEN)))


def sha256(library: ctypes.CDLL, *parts: bytes) -> bytes:
    state = ctypes.create_string_buffer(SHA256_STATE_BYTES)
    digest = ctypes.create_string_buffer(32)
    library.sha256_begin(state)
    for part in parts:
        library.sha256_update(state, part, ctypes.c_size_t(len(part)))
    library.sha256_finish(state, digest)
    return digest.raw


@pytest.mark.parametrize("length", range(130))
def test_sha256_of_every_length_about_a_block(library: ctypes.CDLL, length: int) -> None:
    data = bytes(range(length))
    assert sha256(library, data) == hashlib.sha256(data).digest()


@given(parts=st.lists(st.binary(max_size=200), max_size=8))
def test_sha256_in_parts(library: ctypes.CDLL, parts: list[bytes]) -> None:
    assert sha256(library, *parts) == hashlib.sha256(b"".join(parts)).digest()


@given(data=st.binary(max_size=300))
def test_crc32(library: ctypes.CDLL, data: bytes) -> None:
    assert library.crc32(data, ctypes.c_size_t(len(data))) & 0xFFFFFFFF == zlib.crc32(data)


@given(parts=st.lists(st.binary(max_size=100), max_size=4))
def test_crc16(library: ctypes.CDLL, parts: list[bytes]) -> None:
    crc = 0
    for part in parts:
        crc = library.crc16_xmodem(ctypes.c_uint16(crc), part, ctypes.c_size_t(len(part))) & 0xFFFF
    assert crc == binascii.crc_hqx(b"".join(parts), 0)
