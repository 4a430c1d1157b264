"""Shapes of layers, and the choices that their kernels of the `mcu` profile leave open.

Whatever is chosen, every bit of the result is the same; only instructions, code and memory differ.
"""

from __future__ import annotations

from dataclasses import dataclass

COLUMN_BYTES = 3584
"""Of the copies of windows, as halfwords, that a convolution reads; longer ones are kept as bytes."""
PLANE_BYTES = 2048
"""Of the copies of channels that a depthwise convolution reads, where its rows are short enough."""
GROUP = 4
"""Channels that are gathered by words."""


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
    """Whether a column, then of a single pixel, is kept as bytes: a quarter of the memory, more to unpack."""


@dataclass(frozen=True)
class Convolution:
    """A convolution without groups; a fully connected layer is one over a row of pixels."""

    pixels: int
    """Of the output."""
    channels: int
    """Of the output."""
    taps: int
    """Of a filter."""

    @property
    def words(self) -> int:
        """Of a column: two taps each, of whole words of bytes."""
        return -(-self.taps // 4) * 2

    def column_bytes(self, blocking: Blocking) -> int:
        """What the copies of a block's windows take."""
        return 2 * self.words if blocking.direct else 4 * self.words * blocking.pixels


@dataclass(frozen=True)
class Strips:
    """The part of a depthwise convolution's output that is computed from one copy of its input."""

    group: int
    """Channels copied at a time: 1, or `GROUP`."""
    rows: int


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

    def copied_rows(self, rows: int) -> int:
        """Rows of the input that so many of the output need."""
        return (rows - 1) * self.stride + self.extent

    def plane_bytes(self, strips: Strips) -> int:
        """What the copies take."""
        return 2 * strips.group * self.copied_rows(strips.rows) * self.pitch
