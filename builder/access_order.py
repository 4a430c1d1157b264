"""How far a kernel may write over what it reads: from the order in which it touches both.

A result may begin on the bytes of an argument if no byte of the argument is read after it is overwritten.
Kernels run through both from low addresses to high ones; so it suffices that the result begins some bytes
below the argument, its `distance`.  Where a kernel takes channel by channel out of a whole image before it
writes that channel, no distance is needed as long as channels stay where they are.

After Blacker, Bridges and Hadfield, "Diagonal Memory Optimisation for Machine Learning on Micro-controllers"
(arXiv:2010.01668), who find distances of row-major kernels by tracing them; here each kernel states the order
of its accesses, and tests run kernels at exactly the distance that follows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from builder.families.window import Window

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Overlap:
    """That a result may begin `distance` bytes below an argument, or multiples of `step` more."""

    argument: int
    result: int
    distance: int
    """Negative where the result may begin behind the argument's first byte.  A multiple of `step`."""
    step: int = 1

    def numbers(self) -> tuple[int, ...]:
        """As an attribute of a function holds it."""
        return self.argument, self.result, self.distance, self.step


@dataclass(frozen=True)
class Accesses:
    """The parts of a kernel's work, in order; offsets are in bytes, from the first of argument and result."""

    lowest_read: Array
    """int64 [parts]: of the argument's bytes that a part reads, or a lower one."""
    written_end: Array
    """int64 [parts]: behind the last of the result's bytes that a part writes."""

    def repeated(self, count: int, read_bytes: int, written_bytes: int) -> Accesses:
        """The same for each of `count` images, one after the other."""
        images = np.arange(count, dtype=np.int64)[:, None]
        return Accesses(
            (images * read_bytes + self.lowest_read).reshape(-1),
            (images * written_bytes + self.written_end).reshape(-1),
        )

    def distance(self, read_bytes: int) -> int:
        """The least distance, if each part reads all that it needs before it writes.

        `read_bytes` is the size of the argument, upon which a result may lie in any way if there is one part.
        """
        if len(self.lowest_read) < 2:
            return -read_bytes
        read_later = np.minimum.accumulate(self.lowest_read[::-1])[::-1]
        written = np.maximum.accumulate(self.written_end)
        return max(int((written[:-1] - read_later[1:]).max()), -read_bytes)

    def interleaved_distance(self) -> int:
        """The least distance, if a part reads anything of its own even after it has written everything."""
        read_later = np.minimum.accumulate(self.lowest_read[::-1])[::-1]
        return int((np.maximum.accumulate(self.written_end) - read_later).max())

    def channelwise_distance(self, channels: int, read_bytes: int) -> int:
        """The least distance, if each part takes `channels` one by one: reads of that one, then writes it."""
        begins = self.written_end - channels
        return max(self.distance(read_bytes), int((begins - self.lowest_read).max()))


def elementwise_distance(count: int, read_bytes: int, written_bytes: int) -> int:
    """Of a kernel that reads element i, then writes element i, for rising i; sizes are of an element."""
    last = max(count - 1, 1)
    return max(last * (written_bytes - read_bytes), written_bytes - read_bytes)


def window_reads(window: Window, image: Sequence[int], y_height: int, y_width: int) -> Array:
    """int64 [y_height * y_width]: where no window reads below, in elements of an image [h, w, depth]."""
    height, width, depth = image
    top = np.clip(np.arange(y_height) * window.stride_height - window.pad_top, 0, height)
    left = np.clip(np.arange(y_width) * window.stride_width - window.pad_left, 0, width)
    return np.asarray((top[:, None] * width + left) * depth, np.int64).reshape(-1)


def grouped(reads: Array, channels: int, pixels: int) -> Accesses:
    """A kernel that reads the windows of `pixels` results, then writes all their channels; a last group that
    would be incomplete begins earlier.  Elements are bytes."""
    total = len(reads)
    starts = np.minimum(np.arange(0, total, pixels), total - pixels)
    lowest = np.min([reads[starts + n] for n in range(pixels)], axis=0)
    return Accesses(lowest, (starts + pixels).astype(np.int64) * channels)


def rounded_up(distance: int, step: int) -> int:
    """The next distance that is a multiple of `step`."""
    return math.ceil(distance / step) * step
