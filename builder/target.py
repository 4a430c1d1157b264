"""What kernels are made for."""

from __future__ import annotations

from dataclasses import dataclass

from builder.blocking.cost import CostModel
from builder.blocking.shapes import COLUMN_BYTES, Blockings
from container.abi import Profile
from container.manifest import Optimization


@dataclass(frozen=True)
class Target:
    """A profile, and whether its code shall be fast or small."""

    profile: Profile
    optimization: Optimization = Optimization.BALANCED
    chosen: Blockings | None = None
    """What chooses the blocks of kernels in the place of the cost model."""
    column_bytes: int = COLUMN_BYTES
    """The most that a convolution's copies of windows may take, where the cost model chooses."""

    @property
    def blockings(self) -> Blockings:
        """What chooses the blocks of kernels."""
        return self.chosen or CostModel(self.optimization, self.column_bytes)
