"""Operators that only move elements: their results are copies of boxes of their arguments.

A `Box` tells where the elements of an array lie in a tensor's row-major memory, by offset and strides as
NumPy has them, counted in elements.  An operator lists `Copy`s, each from a box of an argument to a box of
the same shape of the result, which together cover the result.  From the list comes a kernel, or, where the
whole argument is copied in order, a view of it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tvm import relax

from builder import tir
from builder.operators.base import (
    Kernel,
    Node,
    Operator,
    Unsupported,
    dtype_of,
    shape_of,
)
from builder.target import Target

DTYPES = frozenset(
    ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
)
"""An element that is moved need not be understood."""
MOVED = tuple((dtype, dtype) for dtype in sorted(DTYPES))
"""The combinations in which an operator moves elements, for `Operator.combinations`."""
MAXIMUM_COPIES = 1024
"""Of one operator; each is a loop nest of its own."""


@dataclass(frozen=True)
class Box:
    """Element (i, j, ...) lies at offset + i * strides[0] + j * strides[1] + ..."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Box:
        """All of a tensor of that shape."""
        strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        return cls(tuple(shape), tuple(strides))

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    def part(self, axis: int, start: int, count: int, step: int = 1) -> Box:
        """The elements start, start + step, ... along an axis; `step` may be negative, or 0 to repeat one."""
        stride = self.strides[axis]
        return replace(
            self,
            shape=_with(self.shape, axis, count),
            strides=_with(self.strides, axis, stride * step),
            offset=self.offset + start * stride,
        )

    def permuted(self, axes: Sequence[int]) -> Box:
        """Dimension k is what was dimension `axes[k]`."""
        shape, strides = (tuple(values[axis] for axis in axes) for values in (self.shape, self.strides))
        return replace(self, shape=shape, strides=strides)

    def at(self, position: Sequence[Any]) -> Any:
        """The place in memory of the element at a position; of each, where the position holds arrays."""
        return self.offset + sum(index * stride for index, stride in zip(position, self.strides, strict=True))


def _with(values: tuple[int, ...], axis: int, value: int) -> tuple[int, ...]:
    return (*values[:axis], value, *values[axis + 1 :])


@dataclass(frozen=True)
class Copy:
    """The elements of a box of argument number `source`, to a box of the result."""

    source: int
    read: Box
    write: Box

    def merged(self) -> Copy:
        """The same copy in as few dimensions as it takes."""
        sizes: list[int] = []
        strides: list[tuple[int, int]] = []
        for size, read, write in zip(self.read.shape, self.read.strides, self.write.strides, strict=True):
            if size == 1:
                continue
            if strides and strides[-1] == (size * read, size * write):
                sizes[-1] *= size
                strides[-1] = (read, write)
            else:
                sizes.append(size)
                strides.append((read, write))
        reads, writes = ([pair[side] for pair in strides] for side in (0, 1))
        return Copy(
            self.source,
            Box(tuple(sizes), tuple(reads), self.read.offset),
            Box(tuple(sizes), tuple(writes), self.write.offset),
        )


class Movement(Operator):
    """An operator whose result is copied together from its arguments, all of one dtype."""

    @abstractmethod
    def copies(self, call: Any) -> Sequence[Copy]:
        """The copies that a call consists of; every element of the result is written by one of them."""

    def move(
        self,
        node: Node,
        arguments: Sequence[Any],
        attributes: Mapping[str, int | str | Sequence[int]],
        shape: Sequence[int],
    ) -> Any:
        """The result of `shape`, a call or a view, bound.  Raises Unsupported."""
        call = self.call(arguments, attributes, shape, dtype_of(arguments[0]))
        copies = self._merged_copies(call)
        if len(copies) > MAXIMUM_COPIES:
            raise Unsupported(f"it moves {len(copies)} pieces; at most {MAXIMUM_COPIES} are supported")
        if len(copies) == 1 and _is_view(copies[0], arguments):
            return view(node, arguments[copies[0].source], shape)
        return node.emit(call)

    def evaluate(self, call: Any, values: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
        result = np.empty(math.prod(shape_of(call)), values[0].dtype)
        for copy in self._merged_copies(call):
            position = np.ix_(*map(np.arange, copy.read.shape))
            result[copy.write.at(position)] = values[copy.source].reshape(-1)[copy.read.at(position)]
        return result

    def lower(self, call: Any, target: Target) -> Kernel:
        copies = self._merged_copies(call)

        def body(*buffers: Any) -> None:
            *sources, result = buffers
            for copy in copies:
                with tir.loops(*copy.read.shape) as position:
                    value = sources[copy.source][copy.read.at(position)]
                    tir.store(result, (copy.write.at(position),), value)

        names = [f"x{number}" for number in range(len(call.args))] + ["y"]
        buffers = [
            (name, (math.prod(shape_of(tensor)),), dtype_of(tensor))
            for name, tensor in zip(names, [*call.args, call], strict=True)
        ]
        return Kernel(tir.kernel(buffers, body), call.args)

    def _merged_copies(self, call: Any) -> list[Copy]:
        return [copy.merged() for copy in self.copies(call) if copy.read.count]


def _is_view(copy: Copy, arguments: Sequence[Any]) -> bool:
    """Whether a merged copy takes a whole argument in its order to the result."""
    count = math.prod(shape_of(arguments[copy.source]))
    return copy.read == copy.write == Box.whole((count,) if count > 1 else ())


def slabs_around(box: Box, inside: Sequence[tuple[int, int]]) -> tuple[list[Box], Box]:
    """Parts a box into slabs before and behind a range (start, count) along each axis, and what is inside."""
    slabs = []
    for axis, (start, count) in enumerate(inside):
        end = start + count
        slabs += [box.part(axis, 0, start), box.part(axis, end, box.shape[axis] - end)]
        box = box.part(axis, start, count)
    return [slab for slab in slabs if slab.count], box


def view(node: Node, value: Any, shape: Sequence[int]) -> Any:
    """A bound value under another shape."""
    if shape_of(value) == tuple(shape):
        return value
    return node.emit(relax.op.reshape(value, tuple(shape)))


def require_moved_dtype(node: Node, *inputs: int) -> None:
    """Raises Unsupported unless these inputs (0 if none is named) and all outputs have one known dtype."""
    tensors = [node.input(position) for position in inputs or (0,)]
    tensors += [node.output(position) for position in range(len(node.operator.outputs))]
    node.require_same_dtype(DTYPES, tensors)
