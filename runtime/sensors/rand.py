"""RAND: numbers that look random and are the same for the same seed.

They are drawn from PCG64 as `numpy.random.default_rng(seed)` sets it up: floats uniformly from [0, 1),
integers uniformly from the whole range of their type.  Each inference draws on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from container.arrays import to_bytes
from container.errors import UsageError
from container.manifest import StageRecord
from container.tensors import ElementType


class RandomSource:
    """`seed` is what `numpy.random.default_rng` takes: a number, or several.  Raises UsageError for text."""

    def __init__(self, stage: StageRecord, seed: int | Sequence[int]) -> None:
        self._kind = stage.outputs[0]
        if self._kind.element is ElementType.UTF8:
            raise UsageError(f"the capability `{stage.name}` is text, which is not made at random")
        self._generator = np.random.default_rng(seed)

    def sample(self) -> bytes:
        kind = self._kind
        if kind.element.is_float:
            dtype = np.float32 if kind.element is ElementType.F32 else np.float64
            return to_bytes(kind, self._generator.random(kind.shape, dtype=dtype))
        limits = np.iinfo(kind.element.dtype)
        drawn = self._generator.integers(
            limits.min, limits.max, kind.shape, kind.element.dtype, endpoint=True
        )
        return to_bytes(kind, drawn)
