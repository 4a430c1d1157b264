"""Board images: what a board with an agent executes, as its bytes lie in a slot.

The outside is MCUboot's image format, so that tools which speak SMP know what they upload:

    header      32 bytes: magic, load address, header size, image size, flags, version
    our header  96 bytes, see `ImageHeader`
    body        machine code, then the container's read-only data
    trailer     TLV info, and one TLV: SHA-256 over everything before the trailer

(MCUboot, "Image format"; all integers are little-endian.)  An image is fixed to one slot's address.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass

from container.abi import ABI_VERSION
from container.errors import ContainerError

MCUBOOT_MAGIC = 0x96F3B83D
TLV_INFO_MAGIC = 0x6907
TLV_SHA256 = 0x10
MAGIC = b"RUNE"
HEADER_VERSION = 1
HEADER_BYTES = 128
"""Both headers: what lies before the body."""
BOARD_NAME_BYTES = 16
TRAILER_BYTES = 40

_MCUBOOT_HEADER = struct.Struct("<IIHHIIBBHI4x")
_OUR_HEADER = struct.Struct("<4sHH16sIIIIIII8x32sI")
_TLV_INFO = struct.Struct("<HH")
_TLV = struct.Struct("<BxH")


@dataclass(frozen=True)
class ImageHeader:
    """What the agent must know to run an image.

    Our header in the file, from byte 32: magic `RUNE`; u16 version of this header; u16 ABI; name of the
    board, 16 bytes, padded with zeros; u32 each of `address`, `entry`, `ram_start`, `ram_bytes`,
    `stack_bytes`, `progress`, `ports`; 8 bytes of zeros; SHA-256 of the container; u32 CRC-32 (IEEE) of the
    124 bytes before it, MCUboot's header included.
    """

    board: str
    address: int
    """Of the image's first byte: the slot it is fixed to."""
    entry: int
    """Address of the entry function, without the Thumb bit."""
    ram_start: int
    """Where its RAM begins: the stack first, then its linear memory and variables."""
    ram_bytes: int
    """All of its RAM."""
    stack_bytes: int
    progress: int
    """Address of the progress cell in RAM."""
    ports: int
    """Address of the table of sensors and outputs, `struct rune_port` in firmware/core/container_abi.h."""
    container_sha256: bytes


@dataclass(frozen=True)
class BoardImage:
    """An image, taken apart."""

    header: ImageHeader
    body: bytes

    def encode(self) -> bytes:
        """The bytes that go into the slot.  Raises ContainerError when the board's name is too long."""
        data = _header_bytes(self.header, len(self.body)) + self.body
        digest = hashlib.sha256(data).digest()
        info = _TLV_INFO.pack(TLV_INFO_MAGIC, TRAILER_BYTES)
        return data + info + _TLV.pack(TLV_SHA256, len(digest)) + digest

    @property
    def sha256(self) -> bytes:
        """The digest in the trailer, by which SMP names the image."""
        return self.encode()[-32:]

    @classmethod
    def parse(cls, data: bytes) -> BoardImage:
        """Take the bytes of an image apart.  Raises ContainerError for whatever does not fit."""
        header, size = _parse_header(data)
        end = HEADER_BYTES + size
        if len(data) != end + TRAILER_BYTES:
            raise ContainerError(
                f"the image has {len(data):,} bytes, its header speaks of {end + TRAILER_BYTES:,}"
            )
        body = data[HEADER_BYTES:end]
        image = cls(header, body)
        if image.encode() != data:
            raise ContainerError("the image's trailer or its SHA-256 is wrong")
        return image


def _header_bytes(header: ImageHeader, size: int) -> bytes:
    name = header.board.encode()
    if len(name) > BOARD_NAME_BYTES:
        raise ContainerError(f"the board name {header.board!r} is longer than {BOARD_NAME_BYTES} bytes")
    outer = _MCUBOOT_HEADER.pack(
        MCUBOOT_MAGIC, header.address, HEADER_BYTES, 0, size, 0, ABI_VERSION, 0, 0, 0
    )
    inner = _OUR_HEADER.pack(
        MAGIC,
        HEADER_VERSION,
        ABI_VERSION,
        name,
        header.address,
        header.entry,
        header.ram_start,
        header.ram_bytes,
        header.stack_bytes,
        header.progress,
        header.ports,
        header.container_sha256,
        0,
    )
    data = (outer + inner)[:-4]
    return data + struct.pack("<I", zlib.crc32(data))


def _parse_header(data: bytes) -> tuple[ImageHeader, int]:
    """The header and the size of the body."""
    if len(data) < HEADER_BYTES:
        raise ContainerError(f"no board image: {len(data)} bytes are less than its header")
    magic, _, header_size, _, size, *_ = _MCUBOOT_HEADER.unpack_from(data)
    fields = _OUR_HEADER.unpack_from(data, _MCUBOOT_HEADER.size)
    if magic != MCUBOOT_MAGIC or fields[0] != MAGIC or header_size != HEADER_BYTES:
        raise ContainerError("no board image: its magic number is wrong")
    if zlib.crc32(data[: HEADER_BYTES - 4]) != fields[-1]:
        raise ContainerError("the image's header is damaged: its CRC-32 is wrong")
    if fields[1] != HEADER_VERSION or fields[2] != ABI_VERSION:
        raise ContainerError(f"the image has header version {fields[1]}, ABI {fields[2]}")
    board = fields[3].rstrip(b"\0").decode("ascii", "replace")
    if not (board.isascii() and board.isprintable()):
        raise ContainerError("the image's header names no board: expected printable ASCII characters")
    return ImageHeader(board, *fields[4:12]), size
