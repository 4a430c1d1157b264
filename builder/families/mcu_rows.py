"""Sums of products along rows of int8 for the `mcu` profile, around the C of `kernels/mcu_rows.h`.

It is what recurrent layers take, in which a row of the input meets all weights once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from builder import tir
from builder.families.mcu import Array, round_up, words_of, workspace

LARGEST_PAIRS = 4
"""Pairs of channels that are computed at a time."""


class Rows:
    """Weights that rows of int8 are multiplied by, all channels of a block at a time.

    Sums wrap around in 32 bits, as those of the reference do.
    """

    def __init__(self, weights: Array, bias: Array, zero: int, pairs: int) -> None:
        """Of int8 weights [channels, depth], int32 biases, and the zero point of the rows."""
        channels, depth = weights.shape
        self.channels, self.depth, self.pairs = channels, depth, pairs
        self.blocks = -(-channels // (2 * pairs))
        self.words = round_up(depth, 4) // 2
        biases = bias.astype(np.int64) - zero * weights.astype(np.int64).sum(axis=1)
        self.stream = _packed(weights.astype(np.int64), biases, self.blocks, pairs)

    @property
    def block_words(self) -> int:
        """Words of the stream for each block."""
        return 2 * self.pairs + self.pairs * self.words

    def column(self) -> Any:
        """Memory for a row as halfwords."""
        return workspace(self.words)

    def spread(self, row: Any, column: Any) -> Any:
        """Fills a column from the row at an address; what `sums` takes."""
        place = tir.address(column, 0)
        tir.evaluate(tir.call("int32", "rune_mcu_spread", row, place, self.depth))
        return place

    def sums(self, row: Any, stream: Any, block: Any, sums: Any) -> None:
        """The sums of a block's channels, to int32 at the address `sums`."""
        place = tir.address(stream, block * self.block_words)
        tir.evaluate(tir.call("int32", "rune_mcu_sums", row, place, sums, self.pairs, self.words))


def _packed(weights: Array, biases: Array, blocks: int, pairs: int) -> Array:
    channels, depth = weights.shape
    padded = np.zeros((blocks * 2 * pairs, round_up(depth, 4)), np.int64)
    padded[:channels, :depth] = weights & 0xFF
    header = np.zeros(blocks * 2 * pairs, np.int64)
    header[:channels] = biases
    # Taps (0, 2) and (1, 3) of every four, as the column has them.
    taps = padded.reshape(blocks, pairs, 2, -1, 2, 2)
    halves = taps[:, :, 0] | taps[:, :, 1] << 8
    words = (halves[..., 0, :] | halves[..., 1, :] << 16).reshape(blocks, pairs, -1).transpose(0, 2, 1)
    return words_of(np.concatenate([header.reshape(blocks, -1), words.reshape(blocks, -1)], axis=1))
