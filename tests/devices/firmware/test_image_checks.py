"""What the firmware believes of an image: all that devices/image.py writes, and no lie."""

from __future__ import annotations

import ctypes
import dataclasses
import hashlib
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.image import HEADER_BYTES, TRAILER_BYTES, BoardImage, ImageHeader
from tests.devices.firmware.model import END_OF_PORTS, EVEN, board_image, build_library

SLOT = EVEN.flash.slots[1]
RAM = EVEN.ram.container
BODY = SLOT.start + HEADER_BYTES
GOOD = board_image(EVEN, 1, 200)
WORDS = st.integers(0, 2**32 - 1)


class Firmware:
    """`image.c` over a flash of which reads outside of records and slots are noticed."""

    def __init__(self, path: str) -> None:
        self.library = ctypes.CDLL(path)
        self.library.image_header.restype = ctypes.c_bool
        self.library.image_right.restype = ctypes.c_bool
        self.library.probe_violation.restype = ctypes.c_char_p

    def load(self, data: bytes) -> None:
        words = data + bytes([255] * (-len(data) % 4))
        self.library.probe_load(ctypes.c_uint32(SLOT.start), words, ctypes.c_uint32(len(words) // 4))

    def believes(self, data: bytes, sha256: bytes | None = None) -> bool:
        """Whether it is taken for a right image; no rule of flash may be broken on the way."""
        self.load(data)
        right = self.library.image_right(1, ctypes.c_uint32(len(data)), sha256)
        assert self.library.probe_violation() is None
        return bool(right)

    def header(self, data: bytes) -> bool:
        self.load(data)
        right = self.library.image_header(1, ctypes.create_string_buffer(HEADER_BYTES))
        assert self.library.probe_violation() is None
        return bool(right)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return Firmware(str(build_library(tmp_path_factory.mktemp("image"), EVEN)))


def changed(**fields: Any) -> bytes:
    return BoardImage(dataclasses.replace(GOOD.header, **fields), GOOD.body).encode()


@given(body_bytes=st.integers(24, SLOT.size - HEADER_BYTES - TRAILER_BYTES), salt=st.integers(0, 255))
def test_images_of_every_size_are_believed(firmware: Firmware, body_bytes: int, salt: int) -> None:
    data = board_image(EVEN, 1, body_bytes, salt).encode()
    assert firmware.believes(data)
    assert firmware.believes(data, hashlib.sha256(data).digest())
    assert not firmware.believes(data, hashlib.sha256(data + b"\0").digest())


@pytest.mark.parametrize("bits", [0x01, 0x80, 0xFF])
def test_any_changed_byte_is_noticed(firmware: Firmware, bits: int) -> None:
    for index in range(len(GOOD.encode())):
        encoded = bytearray(GOOD.encode())
        encoded[index] ^= bits
        assert not firmware.believes(bytes(encoded)), f"byte {index}"
        assert index >= HEADER_BYTES or not firmware.header(bytes(encoded)), f"byte {index}"


@pytest.mark.parametrize(
    "index",
    [
        *(0, 4, 8, 10, 12),  # MCUboot's magic, address, header size, protected trailer, size
        *(16, 32, 36, 38),  # flags, our magic, version of the header, ABI
        *(40, 55, 56),  # first and last character of the board, address
    ],
)
def test_a_forged_field_is_noticed(firmware: Firmware, index: int) -> None:
    """Whoever forges a header computes its checksums too."""
    encoded = bytearray(GOOD.encode())
    encoded[index] += 1
    struct.pack_into("<I", encoded, HEADER_BYTES - 4, zlib.crc32(encoded[: HEADER_BYTES - 4]))
    encoded[-32:] = hashlib.sha256(encoded[:-TRAILER_BYTES]).digest()
    assert not firmware.believes(bytes(encoded))


@given(noise=st.binary(max_size=SLOT.size))
def test_noise_is_not_believed(firmware: Firmware, noise: bytes) -> None:
    assert not firmware.believes(noise)


def test_a_cut_or_lengthened_image_is_not_believed(firmware: Firmware) -> None:
    encoded = GOOD.encode()
    for length in range(len(encoded)):
        assert not firmware.believes(encoded[:length])
    assert not firmware.believes(encoded + b"\0")


LIES = {
    "another board": changed(board="evem"),
    "a longer name of a board": changed(board="even2"),
    "the other slot": board_image(EVEN, 0, 200).encode(),
    "an address inside of the slot": changed(address=SLOT.start + 4),
    "an entry in the header": changed(entry=BODY - 2),
    "an entry behind the body": changed(entry=BODY + 200),
    "an odd entry": changed(entry=BODY + 21),
    "RAM below the container's": changed(ram_start=RAM.start - 8),
    "RAM that reaches into the agent's": changed(ram_bytes=RAM.size + 1),
    "RAM that wraps around": changed(ram_start=RAM.start + 8, ram_bytes=2**32 - 8),
    "RAM at an odd word": changed(ram_start=RAM.start + 4),
    "a stack that holds no exception": changed(stack_bytes=96),
    "a stack larger than its RAM": changed(stack_bytes=2056),
    "a stack that ends at an odd word": changed(stack_bytes=516),
    "progress below its RAM": changed(progress=RAM.start - 4),
    "progress behind its RAM": changed(progress=RAM.start + 2048),
    "progress that is not a word": changed(progress=RAM.start + 1025),
    "ports in the header": changed(ports=BODY - 4),
    "ports behind the body": changed(ports=BODY + 200),
    "ports at the end of memory": changed(ports=2**32 - 4),
    "ports without an end": BoardImage(GOOD.header, bytes(200)).encode(),
    "an end of ports that is cut off": BoardImage(GOOD.header, END_OF_PORTS[:16]).encode(),
    "a table of ports that is not made of words": BoardImage(
        dataclasses.replace(GOOD.header, ports=BODY + 1), b"\0" + END_OF_PORTS + bytes(179)
    ).encode(),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_not_believed(firmware: Firmware, lie: str) -> None:
    """The checksums of each are right: whoever lies can compute them."""
    BoardImage.parse(LIES[lie])
    assert not firmware.believes(LIES[lie])


def test_the_borders_of_what_is_believed(firmware: Firmware) -> None:
    assert firmware.believes(changed(entry=BODY + 198))
    assert firmware.believes(changed(ram_start=RAM.start, ram_bytes=RAM.size))
    assert firmware.believes(changed(stack_bytes=2048, progress=RAM.start + 2044))
    assert firmware.believes(changed(stack_bytes=104))
    at_end = BoardImage(dataclasses.replace(GOOD.header, ports=BODY + 180), bytes(180) + END_OF_PORTS)
    assert firmware.believes(at_end.encode())


def lawful(header: ImageHeader, body_bytes: int) -> bool:
    """The rules of image.h, but for the table of ports."""
    ram_end = header.ram_start + header.ram_bytes
    return (
        header.address == SLOT.start
        and header.board == EVEN.name
        and header.entry % 2 == 0
        and BODY <= header.entry <= BODY + body_bytes - 2
        and RAM.start <= header.ram_start
        and ram_end <= RAM.end
        and header.ram_start % 8 == header.stack_bytes % 8 == header.progress % 4 == 0
        and 104 <= header.stack_bytes <= header.ram_bytes
        and header.ram_start <= header.progress <= ram_end - 4
        and BODY <= header.ports <= BODY + body_bytes - 20
    )


def near(*values: int) -> st.SearchStrategy[int]:
    """Any 32-bit number, or one about these."""
    close = st.builds(lambda value, by: (value + by) % 2**32, st.sampled_from(values), st.integers(-9, 9))
    return st.one_of(st.sampled_from(values), close, WORDS)


@given(
    entry=near(BODY, BODY + 200),
    ram_start=near(RAM.start, RAM.end),
    ram_bytes=near(0, 2048, RAM.size),
    stack_bytes=near(104, 512, 2048),
    progress=near(RAM.start, RAM.start + 2044),
    ports=near(BODY, BODY + 180, SLOT.end, SLOT.start),
)
def test_no_header_leads_out_of_the_slot(firmware: Firmware, **fields: Any) -> None:
    header = dataclasses.replace(GOOD.header, **fields)
    if firmware.believes(BoardImage(header, GOOD.body).encode()):
        assert lawful(header, len(GOOD.body))


@given(size=near(0, 200, SLOT.size - HEADER_BYTES - TRAILER_BYTES), ports=near(BODY, BODY + 180, SLOT.end))
def test_no_size_leads_out_of_the_slot(firmware: Firmware, size: int, ports: int) -> None:
    """A slot full of zeros behind the header: a table of ports that never ends."""
    data = bytearray(changed(ports=ports)[:124])
    struct.pack_into("<I", data, 12, size)
    forged = bytes(data) + struct.pack("<I", zlib.crc32(data))
    assert not firmware.header(forged + bytes(SLOT.size - HEADER_BYTES))
