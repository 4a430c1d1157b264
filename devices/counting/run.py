"""Runs one inference under the counter, in QEMU."""

from __future__ import annotations

import select
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass

from container.errors import BudgetError, LimitError, LinkError, UsageError
from container.execution import check_outcome
from container.manifest import Manifest
from devices.board import Board, EmulatorKind, Region
from devices.counting.firmware import build_counter
from devices.counting.log import EVENT_BYTES, WRITE, Call, calls
from devices.emulators.base import Settings
from devices.emulators.qemu import Machine, check_installed
from devices.execution import Symbols, trap
from devices.image import BoardImage
from devices.link.messages import CAUSE_DEADLINE, CAUSE_WORDS

FINISHED, TRAPPED, FAULTED, LOG_FULL = range(1, 5)
"""How the counter ended; `enum status` in counter.c."""
_RESULT = struct.Struct("<4I")
_WORDS_ALIGNMENT = 8


@dataclass(frozen=True)
class _Fault:
    """How the container ended before its time."""

    cause: int
    pc: int
    op: int


def can_count(board: Board) -> bool:
    """Whether the emulator of a board counts instructions."""
    return board.has_agent and board.emulator is not None and board.emulator.kind is EmulatorKind.QEMU


def count(
    board: Board,
    image: BoardImage,
    manifest: Manifest,
    samples: Mapping[int, bytes],
    *,
    deadline_s: float,
    symbols: Symbols = lambda pc: None,
) -> list[Call]:
    """The calls of one inference, the first after the container was instantiated.

    `image` is one for slot 0; `samples` are by the number that is passed to `read`.  Raises UsageError for a
    board whose emulator does not count, TrapError and LimitError when the container fails, BudgetError when
    the board has too little memory for the log, LinkError.
    """
    if not can_count(board):
        raise UsageError(f"nothing counts the instructions of {board.name}")
    check_installed(board)
    log = _log_region(board, image)
    machine = Machine.start(Settings(board, count_instructions=True), _flash(board, image, log, samples))
    try:
        _wait(machine, deadline_s)
        return _calls(board, image, manifest, symbols, machine, log)
    finally:
        machine.end()


def _log_region(board: Board, image: BoardImage) -> Region:
    """What the container leaves of its RAM."""
    ram, header = board.ram.container, image.header
    start = header.ram_start + -(-header.ram_bytes // _WORDS_ALIGNMENT) * _WORDS_ALIGNMENT
    return Region(start, (ram.end - start) // EVENT_BYTES * EVENT_BYTES)


def _flash(board: Board, image: BoardImage, log: Region, samples: Mapping[int, bytes]) -> bytes:
    flash = board.flash
    assert flash.agent is not None
    assert flash.records is not None
    content = bytearray(b"\xff" * flash.size)

    def place(region: Region, data: bytes, what: str) -> None:
        if len(data) > region.size:
            raise BudgetError(f"{what} of {len(data):,} bytes has no room in the {board.name} that counts")
        content[region.start - flash.start : region.start - flash.start + len(data)] = data

    place(flash.agent, build_counter(board), "the counter")
    place(flash.slots[0], image.encode(), "the image")
    place(flash.slots[1], b"".join(samples.values()), "the sample")
    place(flash.records, _parameters(board, image, log, samples), "the table of samples")
    return bytes(content)


def _parameters(board: Board, image: BoardImage, log: Region, samples: Mapping[int, bytes]) -> bytes:
    """`struct parameters` in counter.c."""
    header = image.header
    ram_end = header.ram_start + header.ram_bytes
    words = [header.entry, header.ram_start + header.stack_bytes, header.ram_start, ram_end]
    words += [log.start, log.end, len(samples)]
    address = board.flash.slots[1].start
    for number, data in samples.items():
        words += [number, address, len(data)]
        address += len(data)
    return struct.pack(f"<{len(words)}I", *words)


def _wait(machine: Machine, deadline_s: float) -> None:
    """Until the counter has reset the board.  Raises LimitError."""
    end = time.monotonic() + deadline_s
    # It may be over before QEMU sends us events; afterwards the only event is the end.
    while machine.qmp.execute("query-status")["status"] != "shutdown":
        left = end - time.monotonic()
        if left <= 0:
            raise LimitError(
                f"the container was ended: {CAUSE_WORDS[CAUSE_DEADLINE]} ({deadline_s:g} s)",
                hint="allow a longer deadline with --deadline",
            )
        if not machine.qmp.events():
            select.select([machine.qmp.fileno()], [], [], left)


def _calls(
    board: Board, image: BoardImage, manifest: Manifest, symbols: Symbols, machine: Machine, log: Region
) -> list[Call]:
    assert board.ram.agent is not None
    status, value, pc, events = _RESULT.unpack(machine.memory(Region(board.ram.agent.start, _RESULT.size)))
    if status in (TRAPPED, FAULTED):
        (operator,) = struct.unpack("<i", machine.memory(Region(image.header.progress, 4)))
        raise trap(manifest, _Fault(value, pc, operator), symbols)
    if status == LOG_FULL or not events:
        raise BudgetError(
            f"{board.name} has no room to write down more than {log.size // EVENT_BYTES} calls beside the "
            "container",
            hint="leave --ops out, or name a larger board",
        )
    if status != FINISHED or events * EVENT_BYTES > log.size:
        raise LinkError(f"the counter in {board.name} ended with status {status} after {events:,} calls")
    found = calls(board, machine.memory(Region(log.start, events * EVENT_BYTES)))
    written = {call.argument: b"" for call in found if call.number == WRITE}
    empty = {port: b"" for port, kind in manifest.output_types.items() if kind.bytes == 0}
    (code,) = struct.unpack("<i", struct.pack("<I", value))
    check_outcome(manifest, code, written | empty)
    return found
