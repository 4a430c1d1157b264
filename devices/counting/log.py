"""What the counter wrote down, and the instructions that follow from it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

from container.errors import LinkError
from devices.board import Board
from devices.counting.firmware import KNOWN_INSTRUCTIONS, TICK_INSTRUCTIONS, tick

FINISH, READ, WRITE, TRAP, MARK = range(5)
"""The calls of a container: RUNE_CALL_... in firmware/core/container_abi.h."""
EVENT_BYTES = 32
_EVENT = struct.Struct("<8I")
_WRAP = 1 << 24
"""Ticks from one wrap of SysTick to the next (ARMv7-M Architecture Reference Manual, B3.3)."""
_PENDING = 1 << 31
_CALIBRATION_CALLS = 4


@dataclass(frozen=True)
class Call:
    """A call of the container, and what it executed since the call before, or since its start."""

    number: int
    """One of those above."""
    argument: int
    instructions: int


@dataclass(frozen=True)
class _Event:
    """A call with the times at which it began and ended."""

    number: int
    argument: int
    begin_wraps: int
    begin: int
    """In units of 1/d instructions, from any origin."""
    end_wraps: int
    end: int


def calls(board: Board, log: bytes) -> list[Call]:
    """The calls of the container from its instantiation on.

    Raises LinkError when the code whose instructions are known was not counted exactly.
    """
    readings, _ = tick(board)
    events = [_event(fields, readings) for fields in _EVENT.iter_unpack(log)]
    gaps = [_gap(board, before, after) for before, after in pairwise(events)]
    if len(gaps) < _CALIBRATION_CALLS or gaps[1] - gaps[0] != KNOWN_INSTRUCTIONS:
        raise LinkError(
            f"the emulated {board.name} does not count instructions exactly: {gaps[:2]} where they "
            f"should differ by {KNOWN_INSTRUCTIONS}",
            hint="its emulator may be of a version that counts otherwise",
        )
    # Between the first two calls there is nothing but the second's own instruction.
    overhead = gaps[0] - 1
    return [
        Call(event.number, event.argument, gap - overhead)
        for event, gap in zip(events[_CALIBRATION_CALLS:], gaps[_CALIBRATION_CALLS - 1 :], strict=True)
    ]


def _event(fields: tuple[int, ...], readings: int) -> _Event:
    number, argument, *stamps = fields
    begin, end = stamps[:3], stamps[3:]
    return _Event(
        number, argument, begin[0] % _PENDING, _time(begin, readings), end[0] % _PENDING, _time(end, readings)
    )


def _time(stamp: list[int], readings: int) -> int:
    """The sum of the readings, each in ticks since the start (counter.c).

    QEMU lets SysTick wrap at a whole nanosecond: where 2^24 ticks end at none, as at 168 MHz, a wrap is
    wrong by one instruction.
    """
    wraps, base, ticks = stamp
    # An interrupt that is pending belongs to a wrap before the first reading, or to one behind it.
    late = wraps >= _PENDING and base > _WRAP // 2
    return readings * ((wraps % _PENDING + late) * _WRAP + _WRAP - 1 - base) + ticks


def _gap(board: Board, before: _Event, after: _Event) -> int:
    """Instructions from the end of a call to the beginning of the next."""
    _, divisor = tick(board)
    interrupts = after.begin_wraps - before.end_wraps
    return round((after.begin - before.end) / divisor) - TICK_INSTRUCTIONS * interrupts
