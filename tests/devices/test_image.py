"""Board images: their bytes, and that nothing else is taken for one."""

from __future__ import annotations

import dataclasses
import hashlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpclient.mcuboot import IMAGE_TLV, ImageInfo

from container.errors import ContainerError
from devices.image import BoardImage, ImageHeader

WORDS = st.integers(0, 2**32 - 1)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=16)
HEADERS = st.builds(
    ImageHeader, NAMES, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS, st.binary(min_size=32, max_size=32)
)
IMAGES = st.builds(BoardImage, HEADERS, st.binary(max_size=300))

HEADER = ImageHeader(
    board="nrf52840",
    address=0x0001_0000,
    entry=0x0001_0094,
    ram_start=0x2000_0000,
    ram_bytes=0x1000,
    stack_bytes=0x400,
    progress=0x2000_0400,
    ports=0x0001_0080,
    container_sha256=bytes(range(32)),
)
IMAGE = BoardImage(HEADER, b"machine code")


@given(IMAGES)
def test_an_image_comes_back(image: BoardImage) -> None:
    assert BoardImage.parse(image.encode()) == image


def test_bytes_of_an_image() -> None:
    data = IMAGE.encode()
    assert len(data) == 128 + 12 + 40
    # MCUboot's header: magic, load address, header size, no protected trailer, body size, no flags, version.
    assert data[:20] == struct.pack("<IIHHII", 0x96F3B83D, 0x10000, 128, 0, 12, 0)[:20]
    assert data[20:32] == bytes([1]) + bytes(11)
    assert data[32:40] == b"RUNE\x01\x00\x01\x00"
    assert data[40:56] == b"nrf52840" + bytes(8)
    assert struct.unpack("<7I", data[56:84]) == (
        *(0x10000, 0x10094, 0x20000000),
        *(0x1000, 0x400, 0x20000400, 0x10080),
    )
    assert data[84:92] == bytes(8)
    assert data[92:124] == bytes(range(32))
    assert data[124:128] == struct.pack("<I", zlib.crc32(data[:124]))
    assert data[128:140] == b"machine code"
    assert data[140:148] == bytes.fromhex("0769 2800 1000 2000")
    assert data[148:] == hashlib.sha256(data[:140]).digest() == IMAGE.sha256


@given(image=IMAGES)
def test_smp_tools_know_what_they_upload(tmp_path_factory: pytest.TempPathFactory, image: BoardImage) -> None:
    path = tmp_path_factory.getbasetemp() / "image.img"
    data = image.encode()
    path.write_bytes(data)
    info = ImageInfo.load_file(str(path))
    assert (info.header.load_addr, info.header.hdr_size) == (image.header.address, 128)
    assert (info.header.img_size, info.header.ver.major) == (len(image.body), 1)
    assert info.get_tlv(IMAGE_TLV.SHA256).value == image.sha256 == data[-32:]


@given(st.binary(max_size=400))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(ContainerError):
        BoardImage.parse(data)


@given(IMAGES, st.data())
def test_an_image_with_any_other_byte_is_refused(image: BoardImage, data: st.DataObject) -> None:
    encoded = bytearray(image.encode())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ContainerError):
        BoardImage.parse(bytes(encoded))


@given(IMAGES, st.integers(0, 500), st.binary(min_size=1, max_size=8))
def test_an_image_of_another_length_is_refused(image: BoardImage, length: int, more: bytes) -> None:
    encoded = image.encode()
    for data in (encoded[: min(length, len(encoded) - 1)], encoded + more):
        with pytest.raises(ContainerError):
            BoardImage.parse(data)


@given(HEADERS, st.binary(min_size=128, max_size=128))
def test_a_header_with_a_right_checksum_is_parsed_or_refused(header: ImageHeader, noise: bytes) -> None:
    """Whoever writes a header can compute its CRC: behind it everything may be wrong."""
    good = BoardImage(header, b"body").encode()
    forged = good[:32] + b"RUNE\1\0\1\0" + noise[40:124]
    forged += struct.pack("<I", zlib.crc32(forged)) + b"body"
    forged += good[132:140] + hashlib.sha256(forged).digest()
    try:
        assert BoardImage.parse(forged).encode() == forged
    except ContainerError as error:
        assert "image" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"RUNE", "no board image: 4 bytes are less than its header"),
        (bytes(200), "no board image: its magic number is wrong"),
        (IMAGE.encode()[:-1], "the image has 179 bytes, its header speaks of 180"),
        (IMAGE.encode()[:-1] + b"\0", "the image's trailer or its SHA-256 is wrong"),
        (
            IMAGE.encode()[:60] + b"\1" + IMAGE.encode()[61:],
            "the image's header is damaged: its CRC-32 is wrong",
        ),
    ],
)
def test_what_is_said_of_broken_images(data: bytes, message: str) -> None:
    with pytest.raises(ContainerError) as caught:
        BoardImage.parse(data)
    assert caught.value.message == message


def test_an_image_of_another_abi_says_so() -> None:
    data = bytearray(IMAGE.encode()[:124])
    data[38] = 9
    with pytest.raises(ContainerError, match="header version 1, ABI 9"):
        BoardImage.parse(bytes(data) + struct.pack("<I", zlib.crc32(data)) + IMAGE.encode()[128:])


def test_a_long_board_name_is_refused() -> None:
    with pytest.raises(ContainerError, match="longer than 16 bytes"):
        BoardImage(dataclasses.replace(HEADER, board="a" * 17), b"").encode()
