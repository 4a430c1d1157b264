"""Shapes of layers, and the choices that their kernels of the `mcu` profile leave open.

Whatever is chosen, every bit of the result is the same; only instructions, code and memory differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

COLUMN_BYTES = 3584
"""Of the copies of windows, as halfwords, that a convolution reads; longer ones are kept as bytes."""
PLANE_BYTES = 2048
"""Of the copies of channels that a depthwise convolution reads, where its rows are short enough."""
PLAIN_PIXELS = 4
"""Output pixels at a time on cores without DSP instructions."""
SHORT_TAPS = 256
"""Of so many a sum of weights is a halfword."""
GROUP = 4
"""Channels that are gathered by words."""
LARGEST_PIXELS = 4
LARGEST_PAIRS = 4
"""As many as `kernels/mcu.h` has room for."""
LARGEST_ROUND = 32
"""Words of the inner loop; more is code without end."""


@dataclass(frozen=True)
class Blocking:
    """The block of sums that a convolution or fully connected layer computes at a time."""

    pixels: int
    """Of the output."""
    pairs: int
    """Pairs of output channels."""
    unrolled: int
    """Words of a column, each two taps, in a round of the inner loop: even, and a divisor of their number."""
    direct: bool = False
    """Whether a column, then of a single pixel, is kept as bytes: half of the memory, more to unpack."""

    def __str__(self) -> str:
        kept = ", kept as bytes" if self.direct else ""
        return f"{self.pixels} x {2 * self.pairs}, rounds of {self.unrolled}{kept}"


@dataclass(frozen=True)
class Convolution:
    """A convolution without groups; a fully connected layer is one over a row of pixels."""

    pixels: int
    """Of the output."""
    channels: int
    """Of the output."""
    taps: int
    """Of a filter."""
    wide: bool = False
    """Whether the products of both channels of a pair are summed apart."""

    def __str__(self) -> str:
        apart = ", wide" if self.wide else ""
        return f"{self.pixels:,} pixels x {self.channels:,} channels of {self.taps:,} taps{apart}"

    @property
    def words(self) -> int:
        """Of a column: two taps each, of whole words of bytes."""
        return -(-self.taps // 4) * 2

    def column_bytes(self, blocking: Blocking) -> int:
        """What the copies of a block's windows take."""
        return 2 * self.words if blocking.direct else 4 * self.words * blocking.pixels

    def fault(self, blocking: Blocking) -> str | None:
        """Why a blocking cannot be that of this layer; None where it can."""
        largest = min(self.pixels, LARGEST_PIXELS)
        if not 1 <= blocking.pixels <= largest:
            return f"pixels: {blocking.pixels}, expected 1 to {largest}"
        if not 1 <= blocking.pairs <= LARGEST_PAIRS:
            return f"pairs: {blocking.pairs}, expected 1 to {LARGEST_PAIRS}"
        if blocking.unrolled not in self.rounds():
            numbers = ", ".join(map(str, self.rounds()))
            return f"unrolled: {blocking.unrolled}, expected one of {numbers} for {self.words} words"
        if blocking.direct and blocking.pixels > 1:
            return f"direct: columns of bytes have 1 pixel, and not {blocking.pixels}"
        taken = self.column_bytes(blocking)
        if not blocking.direct and taken > COLUMN_BYTES:
            return f"pixels: columns of {blocking.pixels} take {taken:,} bytes, more than {COLUMN_BYTES:,}"
        return None

    def rounds(self) -> list[int]:
        """Numbers of words that the inner loop can take at a time."""
        return [count for count in range(2, LARGEST_ROUND + 1, 2) if self.words % count == 0]

    def blockings(self) -> Iterator[Blocking]:
        """Each that is possible."""
        for pixels in range(1, LARGEST_PIXELS + 1):
            for pairs in range(1, LARGEST_PAIRS + 1):
                for unrolled in self.rounds():
                    for direct in (False, True):
                        blocking = Blocking(pixels, pairs, unrolled, direct)
                        if self.fault(blocking) is None:
                            yield blocking

    def plain_bytes(self, blocking: Blocking) -> int:
        """The same on cores without DSP instructions: columns of bytes and sums of weights."""
        taps = 2 * self.words
        pixels = min(self.pixels, PLAIN_PIXELS)
        if blocking.direct or pixels == 1:
            return taps
        group = 2 * blocking.pairs
        sums = -(-self.channels // group) * group * (2 if taps <= SHORT_TAPS else 4)
        return pixels * taps + sums


@dataclass(frozen=True)
class Strips:
    """The part of a depthwise convolution's output that is computed from one copy of its input."""

    group: int
    """Channels copied at a time: 1, or `GROUP`."""
    rows: int

    def __str__(self) -> str:
        return f"strips of {self.rows}, {self.group} at a time"


@dataclass(frozen=True)
class Planes:
    """A depthwise convolution, its longer side along columns, by the copies of channels that it reads."""

    rows: int
    """Of the output."""
    extent: int
    """Rows of the input that one of the output needs."""
    stride: int
    """Of rows."""
    pitch: int
    """Halfwords from one row of a copy to the next."""
    has_groups: bool
    """Whether `GROUP` channels can be copied at a time: they are whole words, and each has one filter."""

    def __str__(self) -> str:
        return f"{self.rows:,} rows of {self.extent} with stride {self.stride}, depthwise"

    def copied_rows(self, rows: int) -> int:
        """Rows of the input that so many of the output need."""
        return (rows - 1) * self.stride + self.extent

    def plane_bytes(self, strips: Strips) -> int:
        """What the copies take."""
        return 2 * strips.group * self.copied_rows(strips.rows) * self.pitch

    def most_rows(self, group: int) -> int:
        """As many rows of the output as `PLANE_BYTES` hold the copies for, but one."""
        room = PLANE_BYTES // (2 * group * self.pitch) - self.extent
        return min(max(room // self.stride + 1, 1), self.rows)

    def fault(self, strips: Strips) -> str | None:
        """Why strips cannot be those of this layer; None where they can."""
        groups = self._groups()
        if strips.group not in groups:
            return f"group: {strips.group}, expected {' or '.join(map(str, groups))}"
        most = self.most_rows(strips.group)
        if not 1 <= strips.rows <= most:
            return f"rows: {strips.rows}, expected 1 to {most}"
        return None

    def strips(self) -> Iterator[Strips]:
        """Those worth trying: of each group as few as reach through the image, in even parts."""
        for group in self._groups():
            count = -(-self.rows // self.most_rows(group))
            yield Strips(group, -(-self.rows // count))

    def _groups(self) -> list[int]:
        return [1, GROUP] if self.has_groups else [1]


class Blockings(Protocol):
    """What chooses for each layer."""

    def convolution(self, layer: Convolution) -> Blocking:
        """The blocking of a convolution or fully connected layer."""

    def depthwise(self, layer: Planes) -> Strips:
        """The strips of a depthwise convolution."""
