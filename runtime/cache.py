"""Compiled modules, kept between runs of the tools.

An entry is the machine code as wasmtime serialises it, behind the SHA-256 of that code.  Machine code cannot
be checked for what it does, so the folder must belong to the user and be closed to others; an entry that is
damaged counts as absent.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from container.errors import RuneError
from container.files import write_atomically

MAXIMUM_ENTRIES = 64
"""Beyond these the entries that were used longest ago are removed."""

_DIGEST_BYTES = hashlib.sha256().digest_size
_SUFFIX = ".cwasm"


class ModuleCache:
    """A folder of compiled modules.  A cache that cannot be used holds nothing and keeps nothing."""

    def __init__(self, root: Path) -> None:
        self._root = root if _is_private(root) else None

    def get(self, key: str) -> bytes | None:
        """The code kept under `key`, or None."""
        if self._root is None:
            return None
        path = self._root / f"{key}{_SUFFIX}"
        try:
            entry = path.read_bytes()
        except OSError:
            return None
        digest, code = entry[:_DIGEST_BYTES], entry[_DIGEST_BYTES:]
        if hashlib.sha256(code).digest() != digest:
            return None
        _mark_used(path)
        return code

    def put(self, key: str, code: bytes) -> None:
        """Keep `code` under `key`; silently does not where the folder is full or read-only."""
        if self._root is None:
            return
        try:
            entry = hashlib.sha256(code).digest() + code
            write_atomically(self._root / f"{key}{_SUFFIX}", entry, mode=0o600)
            self._prune(self._root)
        except (OSError, RuneError):
            return

    def _prune(self, root: Path) -> None:
        entries = sorted(root.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in entries[MAXIMUM_ENTRIES:]:
            path.unlink(missing_ok=True)


def _is_private(root: Path) -> bool:
    """Whether the folder, made here if need be, is ours and nobody else can write to it."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = root.stat()
    except OSError:
        return False
    closed = not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return closed and found.st_uid == os.geteuid()


def _mark_used(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:
        return
