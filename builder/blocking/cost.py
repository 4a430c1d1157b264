"""What a blocking costs: instructions and bytes of code, estimated.

The terms follow from the inner loop of `rune_mcu_block` (`kernels/mcu.h`) on a core with SMLAD, of which each
takes two products; their constants were fitted to instructions that were counted (`benchmarks/notes.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from builder.blocking.shapes import COLUMN_BYTES, Blocking, Convolution, Planes, Strips
from container.manifest import Optimization

CANDIDATES = 6
"""How many choices are worth counting, beside the best."""
_INSTRUCTION_BYTES: Final = 3.6
"""Some have two, most have four."""
_COPIED_WORD: Final = 5.5
"""Instructions to read a word of a window, part it into halfwords, and keep them."""
_FREE_SUMS: Final = 4
"""Sums that stay in registers beside operands, addresses and counters."""
_LOOP: Final = 4
"""Instructions of a round beside its work."""
_SPILLED_ROUND: Final = 8
"""More of them where registers are short."""
_SPILLED_WORD: Final = 2.5
"""Instructions of a word where 8 sums are kept: nothing else fits then."""
_BLOCK: Final = 12
"""Instructions around the inner loop for each block."""
_PAIR: Final = 18
"""More of them for each pair of channels, whose biases and scales are read."""
_SUM: Final = 9
"""More of them for each sum, which is brought to the output's scale."""

_DOUBLE_TIME_BYTES: Final = {
    Optimization.SPEED: 40_000,
    Optimization.BALANCED: 10_000,
    Optimization.SIZE: 500,
}
"""Bytes of code of a kernel that weigh as much as the double of its instructions."""


@dataclass(frozen=True)
class CostModel:
    """Chooses for each layer what costs least by the estimates below."""

    optimization: Optimization = Optimization.BALANCED
    column_bytes: int = COLUMN_BYTES
    """The most that the copies of windows may take, unless nothing takes less."""

    def convolution(self, layer: Convolution) -> Blocking:
        """The blocking of a convolution or fully connected layer."""
        return self.ranked(layer)[0]

    def depthwise(self, layer: Planes) -> Strips:
        """The strips of a depthwise convolution: gathered by words where that is possible."""
        return max(layer.strips(), key=lambda strips: strips.group)

    def ranked(self, layer: Convolution) -> list[Blocking]:
        """The blockings of a layer, the best first."""
        sensible = [blocking for blocking in layer.blockings() if is_sensible(layer, blocking)]
        most = max(self.column_bytes, min(map(layer.column_bytes, sensible)))
        sensible = [blocking for blocking in sensible if layer.column_bytes(blocking) <= most]
        return sorted(
            sensible, key=lambda blocking: self.cost(layer, blocking, instructions(layer, blocking))
        )

    def cost(self, layer: Convolution, blocking: Blocking, count: float) -> float:
        """So many instructions, as much more as the code weighs that they are spent in."""
        return count * (1 + code_bytes(layer, blocking) / _DOUBLE_TIME_BYTES[self.optimization])


def is_sensible(layer: Convolution, blocking: Blocking) -> bool:
    """Whether a blocking is worth counting.

    Two rounds are not: the compiler makes a choice of such a counter, by which a board cannot prove its
    accesses.  Nor are more sums than there are registers, or channels than there are.
    """
    return (
        layer.words != 2 * blocking.unrolled
        and _sums(blocking) <= 2 * _FREE_SUMS
        and 2 * (blocking.pairs - 1) < layer.channels
    )


def instructions(layer: Convolution, blocking: Blocking) -> float:
    """Of an inference."""
    groups = -(-layer.pixels // blocking.pixels)
    blocks = groups * -(-layer.channels // (2 * blocking.pairs))
    rounds = layer.words // blocking.unrolled
    block = _around(blocking) + layer.words * _word(layer, blocking)
    if rounds > 1:
        block += rounds * (_LOOP + (_SPILLED_ROUND if _sums(blocking) > _FREE_SUMS else 0))
    return blocks * block + groups * blocking.pixels * _copy(layer, blocking)


def code_bytes(layer: Convolution, blocking: Blocking) -> float:
    """Of a kernel, without what is in each."""
    return _INSTRUCTION_BYTES * (_around(blocking) + blocking.unrolled * _word(layer, blocking))


def _sums(blocking: Blocking) -> int:
    return 2 * blocking.pixels * blocking.pairs


def _around(blocking: Blocking) -> float:
    """Instructions of a block around its inner loop."""
    return _BLOCK + blocking.pairs * _PAIR + _sums(blocking) * _SUM


def _word(layer: Convolution, blocking: Blocking) -> float:
    """Instructions of the inner loop for a word of each column and each pair of channels.

    Two words are loaded at once; a word of weights is unpacked in one instruction, or in two for wide sums,
    and so is one of a column of bytes.
    """
    loads = (blocking.pixels + blocking.pairs) / 2
    unpacking = blocking.pairs * (2 if layer.wide else 1) + blocking.direct
    spills = _SPILLED_WORD if _sums(blocking) == 2 * _FREE_SUMS else 0
    return loads + unpacking + _sums(blocking) + spills


def _copy(layer: Convolution, blocking: Blocking) -> float:
    """Instructions to copy a window."""
    return layer.words * _COPIED_WORD / (4 if blocking.direct else 1)
