"""The memory protection unit (DDI 0403, B3.5): what unprivileged code may do where.

Privileged code is not restricted.  Unicorn protects pages; while unprivileged code runs they have its rights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

TYPE, CTRL, RNR, RBAR, RASR = range(0xD90, 0xDA4, 4)
ALIASES = range(0xDA4, 0xDBC)
"""RBAR_A1 to RASR_A3."""
REGIONS = 8
READ, WRITE, EXECUTE = 1, 2, 4
"""As unicorn has them."""
ALL = READ | WRITE | EXECUTE
PAGE_BYTES = 1024
"""The finest that unicorn can protect; regions are widened to it."""
_PRIVATE_BUS = range(0xE000_0000, 0xE010_0000)
"""The core's own registers, of which privilege alone decides."""
_ENABLE = 1
_VALID = 0x10
_XN = 1 << 28
_UNPRIVILEGED = {2: READ, 3: READ | WRITE, 6: READ, 7: READ}
"""Rights of unprivileged code by the field AP."""
_SUBREGIONS = 8


@dataclass(frozen=True)
class Piece:
    """A range of addresses in which all bytes have the same rights."""

    start: int
    size: int
    rights: int


@dataclass(frozen=True)
class Region:
    """One region as its registers say it."""

    rbar: int = 0
    rasr: int = 0

    @property
    def size(self) -> int:
        return 2 << (self.rasr >> 1 & 31)

    @property
    def start(self) -> int:
        return self.rbar & ~(self.size - 1)

    @property
    def rights(self) -> int:
        rights = _UNPRIVILEGED.get(self.rasr >> 24 & 7, 0)
        return rights | EXECUTE if rights and not self.rasr & _XN else rights

    def holds(self, address: int) -> bool:
        if not self.rasr & _ENABLE or not self.start <= address < self.start + self.size:
            return False
        return not self.rasr >> 8 >> (address - self.start) * _SUBREGIONS // self.size & 1

    def borders(self) -> Iterator[int]:
        """Where its parts begin and end."""
        if self.rasr & _ENABLE:
            step = self.size // _SUBREGIONS
            yield from range(self.start, self.start + self.size + 1, step)


class Mpu:
    """Eight regions; offsets are from 0xE000E000."""

    def __init__(self) -> None:
        self._regions = [Region()] * REGIONS
        self._selected = 0
        self._control = 0
        self.version = 0
        """Changes with every write."""

    @property
    def enabled(self) -> bool:
        return bool(self._control & _ENABLE)

    def read(self, offset: int) -> int:
        region = self._regions[self._selected]
        values = {TYPE: REGIONS << 8, CTRL: self._control, RNR: self._selected, RASR: region.rasr}
        return values.get(offset, region.rbar | self._selected)

    def write(self, offset: int, value: int) -> None:
        self.version += 1
        if offset in ALIASES:
            offset = RBAR if (offset - ALIASES.start) % 8 == 0 else RASR
        region = self._regions[self._selected]
        if offset == CTRL:
            self._control = value & 7
        elif offset == RNR:
            self._selected = value % REGIONS
        elif offset == RBAR:
            if value & _VALID:
                self._selected = value % REGIONS
                region = self._regions[self._selected]
            self._regions[self._selected] = Region(value & ~31, region.rasr)
        elif offset == RASR:
            self._regions[self._selected] = Region(region.rbar, value)

    def rights(self, address: int) -> int:
        """What unprivileged code may do there."""
        if not self.enabled or address in _PRIVATE_BUS:
            return ALL
        for region in reversed(self._regions):
            if region.holds(address):
                return region.rights
        return 0

    def pieces(self, start: int, size: int) -> list[Piece]:
        """A range of memory, cut where rights may change."""
        borders = {start, start + size}
        for region in self._regions:
            borders |= {border // PAGE_BYTES * PAGE_BYTES for border in region.borders()}
        inside = sorted(border for border in borders if start <= border <= start + size)
        return [Piece(begin, end - begin, self.rights(begin)) for begin, end in pairwise(inside)]
