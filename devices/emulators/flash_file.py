"""Flash that outlives its emulator, in a file."""

from __future__ import annotations

from pathlib import Path

from container.errors import RuneError
from container.files import read_bounded, write_atomically
from devices.board import Board

ERASED = b"\xff"


class FlashFile:
    """The content of a board's whole flash, from its first byte on; without a path it is kept nowhere."""

    def __init__(self, path: Path | None, board: Board) -> None:
        self._path = path
        self._board = board
        self._saved: bytes | None = None

    def load(self, firmware: bytes | None = None) -> bytes:
        """The flash to start with: what was kept, or erased flash, and `firmware` in the place of the agent.

        Raises RuneError for a file that cannot be read or is not of this board's size, and for firmware that
        is larger than its place.
        """
        content = bytearray(self._kept() or ERASED * self._board.flash.size)
        if firmware is not None:
            place = self._board.flash.agent
            size = place.size if place else self._board.flash.size
            if len(firmware) > size:
                raise RuneError(
                    f"the firmware has {len(firmware):,} bytes; {self._board.name} has room for {size:,}"
                )
            content[:size] = firmware.ljust(size, ERASED)
        return bytes(content)

    def save(self, content: bytes) -> None:
        """Keep the flash; at once on disk or not at all.  Raises RuneError when it cannot be written."""
        if self._path is not None and content != self._saved:
            write_atomically(self._path, content)
            self._saved = bytes(content)

    def _kept(self) -> bytes | None:
        if self._path is None or not self._path.exists():
            return None
        size = self._board.flash.size
        content = read_bounded(self._path, size)
        if len(content) != size:
            raise RuneError(
                f"{self._path}: has {len(content):,} bytes; the flash of {self._board.name} has {size:,}",
                hint="give the state of another emulated board its own file, or delete this one",
            )
        self._saved = content
        return content
