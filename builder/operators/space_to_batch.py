"""Every b-th pixel into a batch of its own, and back: the ways into and out of dilated convolutions.

With blocks of (b1, b2), pixel (y, x) of padded image n becomes pixel (y / b1, x / b2) of image
((y % b1) * b2 + x % b2) * batch + n.  SPACE_TO_BATCH_ND pads before with the result's zero point, and
BATCH_TO_SPACE_ND crops behind.
Source: tensorflow/lite/kernels/space_to_batch_nd.cc and batch_to_space_nd.cc.  TensorFlow Lite Micro leaves
the padding's value uninitialised, so there nothing is to be compared.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from builder.families.data_movement import (
    MAXIMUM_COPIES,
    Box,
    Copy,
    Movement,
    require_moved_dtype,
    slabs_around,
)
from builder.operators.base import Node, Unsupported, shape_of
from builder.operators.pad import padding_value


@dataclass(frozen=True)
class _Blocks:
    """What SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND take beside the tensor."""

    sizes: tuple[int, ...]
    before: tuple[int, ...]
    """Padding or cropping before the first element of each dimension between the batch and the rest."""
    after: tuple[int, ...]

    @classmethod
    def of(cls, node: Node) -> _Blocks:
        """Raises Unsupported."""
        sizes, borders, rank = node.integers(1), node.integers(2), len(node.input(0).shape)
        wrong = node.input(2).shape != (len(sizes), 2) or not 1 <= len(sizes) < rank
        if wrong or min(sizes) < 1 or min(borders) < 0:
            raise Unsupported(f"blocks {sizes} and borders {borders} of a tensor with {rank} dimensions")
        if math.prod(sizes) > MAXIMUM_COPIES:
            raise Unsupported(f"{math.prod(sizes)} blocks; at most {MAXIMUM_COPIES} are supported")
        return cls(tuple(sizes), tuple(borders[::2]), tuple(borders[1::2]))

    def attributes(self) -> dict[str, Sequence[int]]:
        return {"sizes": self.sizes, "before": self.before}

    def along(self, shape: Sequence[int]) -> list[tuple[int, int, int, int]]:
        """(size, block, before, after) of each dimension that has blocks."""
        sizes = shape[1 : 1 + len(self.sizes)]
        return list(zip(sizes, self.sizes, self.before, self.after, strict=True))

    def batches(self) -> int:
        return math.prod(self.sizes)


@dataclass(frozen=True)
class _Part:
    """The pixels that go to one batch: a box of the image, one of that batch, and where in it they lie."""

    image: Box
    batch: Box
    inside: list[tuple[int, int]]
    """(start, count) along each dimension of `batch`."""


class SpaceToBatch(Movement):
    name = "space_to_batch"
    tflite = ("SPACE_TO_BATCH_ND",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        blocks, shape = _Blocks.of(node), node.input(0).shape
        sizes = []
        for size, block, before, after in blocks.along(shape):
            if (before + size + after) % block:
                raise Unsupported(f"blocks of {block} in {before} + {size} + {after} elements")
            sizes.append((before + size + after) // block)
        result = (shape[0] * blocks.batches(), *sizes, *shape[1 + len(sizes) :])
        node.require_output_shape(*result)
        return self.move(node, [node.value(0), padding_value(node)], blocks.attributes(), result)

    def copies(self, call: Any) -> list[Copy]:
        copies = []
        for part in _parts(call, shape_of(call.args[0]), shape_of(call)):
            slabs, middle = slabs_around(part.batch, part.inside)
            copies += [Copy(1, Box(slab.shape, (0,) * len(slab.shape)), slab) for slab in slabs]
            copies.append(Copy(0, part.image, middle))
        return copies


class BatchToSpace(Movement):
    name = "batch_to_space"
    tflite = ("BATCH_TO_SPACE_ND",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        blocks, shape = _Blocks.of(node), node.input(0).shape
        sizes = [size * block - before - after for size, block, before, after in blocks.along(shape)]
        if shape[0] % blocks.batches() or min(sizes) < 0:
            raise Unsupported(
                f"{list(shape)} in blocks of {blocks.sizes} without {blocks.before}, {blocks.after}"
            )
        result = (shape[0] // blocks.batches(), *sizes, *shape[1 + len(sizes) :])
        node.require_output_shape(*result)
        return self.move(node, [node.value(0)], blocks.attributes(), result)

    def copies(self, call: Any) -> list[Copy]:
        copies = []
        for part in _parts(call, shape_of(call), shape_of(call.args[0])):
            _, middle = slabs_around(part.batch, part.inside)
            copies.append(Copy(0, middle, part.image))
        return copies


def _parts(call: Any, image: Sequence[int], batches: Sequence[int]) -> Iterator[_Part]:
    """One part for each place in a block."""
    sizes, before = ([int(value) for value in call.attrs[name]] for name in ("sizes", "before"))
    for place in itertools.product(*map(range, sizes)):
        number = 0
        for index, size in zip(place, sizes, strict=True):
            number = number * size + index
        pixels, batch = Box.whole(image), Box.whole(batches).part(0, number * image[0], image[0])
        inside = [(0, size) for size in batch.shape]
        for axis, (index, block, border) in enumerate(zip(place, sizes, before, strict=True), start=1):
            first = max(0, -((index - border) // block))
            count = max(0, -(-(image[axis] + border - index) // block) - first)
            pixels = pixels.part(axis, first * block + index - border, count, block)
            inside[axis] = (first, count)
        yield _Part(pixels, batch, inside)
