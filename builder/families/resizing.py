"""Resizing of NHWC images: reading it, and which pixels of the input an output row or column is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from builder.operators.base import Node, Unsupported


@dataclass(frozen=True)
class Resizing:
    """How the sizes of an image change."""

    source: tuple[int, ...]
    target: tuple[int, ...]
    """NHWC; batch and channels stay."""
    align_corners: bool
    """Whether the centres of the corner pixels stay where they are."""
    half_pixel_centers: bool
    """Whether pixels are counted from their centres."""

    @classmethod
    def of(cls, node: Node, table: str) -> Resizing:
        """Raises Unsupported."""
        shape, size, options = node.input(0).shape, node.integers(1), node.options(table)
        if len(shape) != 4 or len(size) != 2 or min(*shape, *size) < 1:
            raise Unsupported(
                f"an image of {list(shape)} to {size}; NHWC and two positive sizes are expected"
            )
        target = (shape[0], *size, shape[3])
        node.require_output_shape(*target)
        return cls(shape, target, bool(options.AlignCorners()), bool(options.HalfPixelCenters()))

    def steps(self, axis: int) -> tuple[int, int]:
        """(numerator, denominator) of the distance in the input from one output pixel to the next."""
        source, target = self.source[axis], self.target[axis]
        return (source - 1, target - 1) if self.align_corners and target > 1 else (source, target)

    def nearest(self, axis: int) -> np.ndarray[Any, Any]:
        """int32[target]: the input pixel of each output pixel along an axis."""
        numerator, denominator = self.steps(axis)
        scale = np.float32(numerator) / np.float32(denominator)
        offset = np.float32(0.5 if self.half_pixel_centers else 0.0)
        places = ((np.arange(self.target[axis], dtype="float32") + offset) * scale).astype("float64")
        # Ties away from zero, where places are rounded; none is negative.
        whole = np.floor(places + 0.5 if self.align_corners else places)
        return np.array(np.clip(whole, 0, self.source[axis] - 1), "int32")

    def between(self, axis: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The input pixels around each output pixel, int32[target, 2], and its distance from the first,
        float32[target].
        """
        numerator, denominator = self.steps(axis)
        scale = np.float32(numerator) / np.float32(denominator)
        places = np.arange(self.target[axis], dtype="float32")
        half = np.float32(0.5)
        places = (places + half) * scale - half if self.half_pixel_centers else places * scale
        lower, upper = np.floor(places), np.ceil(places)
        pixels = np.clip(np.stack([lower, upper], 1), 0, self.source[axis] - 1).astype("int32")
        return pixels, places - pixels[:, 0].astype("float32")

    def between_steps(self, axis: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The same in fixed point: the distance is int32, in steps of 1/1024 pixel."""
        numerator, denominator = self.steps(axis)
        scale = (1024 * numerator + denominator // 2) // denominator
        places = np.arange(self.target[axis], dtype="int64") * scale
        if self.half_pixel_centers:
            places += scale // 2 - 512
        # Divisions truncate; only the first may see a negative number, and is clamped to 0.
        lower, upper = places // 1024, (places + 1023) // 1024
        pixels = np.clip(np.stack([lower, upper], 1), 0, self.source[axis] - 1).astype("int32")
        return pixels, (places - 1024 * pixels[:, 0]).astype("int32")
