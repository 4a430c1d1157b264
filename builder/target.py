"""What kernels are made for."""

from __future__ import annotations

from dataclasses import dataclass

from container.abi import Profile
from container.manifest import Optimization


@dataclass(frozen=True)
class Target:
    """A profile, and whether its code shall be fast or small."""

    profile: Profile
    optimization: Optimization = Optimization.BALANCED
