"""Containers in files, for commands to run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from container.abi import Profile
from container.golden import GoldenVector, encode
from container.manifest import StageRecord
from container.sections import seal
from tests.runtime.guests import ECHO, manifest, module

LOOP = "(loop (br 0)) (i32.const 0)"
CRASH = "unreachable"


def guest_file(folder: Path, body: str = ECHO, *stages: StageRecord, golden: bytes | None = None) -> Path:
    """A container whose `run` is this WebAssembly text; without stages it has four bytes in and four out.

    `golden` is the output that its golden vector expects of the input 1, 2, 3, 4.
    """
    vector = GoldenVector({"features": bytes([1, 2, 3, 4])}, {0: golden or b""}, "by hand")
    section = None if golden is None else encode([vector])
    about = replace(manifest(*stages), golden_engines=() if golden is None else ("by hand",))
    file = folder / "guest.rune"
    file.write_bytes(seal(about, {Profile.SIMD: module(body)}, section))
    return file
