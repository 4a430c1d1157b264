"""Flash with a container in it from the start, for emulators that cannot write flash.

What an agent leaves behind after an upload that was confirmed: the image in its slot, and one record
(`struct record` in firmware/core/storage.c), closed.  Such an agent has nothing to repair or to write when it
starts.
"""

from __future__ import annotations

import struct
import zlib

from devices.board import Board
from devices.emulators.flash_file import ERASED
from devices.image import BoardImage

SLOT = 0
"""Where the container lies."""
_RECORD = struct.Struct("<I4BBBHII32s")
_MAGIC = 0x4352
_NO_SLOT = 0xFF
_CLOSED = bytes(8)


def preloaded_flash(board: Board, image: BoardImage) -> bytes:
    """A whole flash without the agent, whose container, made for `SLOT`, is valid and confirmed."""
    records = board.flash.records
    assert records is not None
    flash = bytearray(ERASED * board.flash.size)
    for start, data in ((records.start, _record()), (board.flash.slots[SLOT].start, image.encode())):
        offset = start - board.flash.start
        flash[offset : offset + len(data)] = data
    return bytes(flash)


def _record() -> bytes:
    roles = (SLOT, _NO_SLOT, _NO_SLOT, _NO_SLOT)  # Confirmed, pending, tried, uploaded.
    sequence, valid, upload_named, upload_bytes, upload_offset = 1, 1 << SLOT, 0, 0, 0
    data = _RECORD.pack(sequence, *roles, valid, upload_named, _MAGIC, upload_bytes, upload_offset, bytes(32))
    return data + zlib.crc32(data).to_bytes(4, "little") + _CLOSED
