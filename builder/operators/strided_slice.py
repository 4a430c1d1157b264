"""Parts of a tensor: every n-th element of a range along each axis.

SLICE gives begin and size, where size -1 means to the end.  STRIDED_SLICE gives begin, end and stride as in
Python, negative ones included; a bit of `begin_mask` or `end_mask` leaves that bound out, of
`shrink_axis_mask` takes one element and drops its axis, of `new_axis_mask` adds an axis of size 1, and the
one of `ellipsis_mask` stands for all axes that are not named.  SPLIT, SPLIT_V and UNPACK take a tensor apart
along one axis; REVERSE_V2 turns axes around.
Source: tensorflow/lite/kernels/internal/strided_slice_logic.h; slice.cc, split.cc, split_v.cc, unpack.cc and
reverse.cc of tensorflow/lite/micro/kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from builder.families.data_movement import Box, Copy, Movement, require_moved_dtype, view
from builder.operators.base import (
    Node,
    Operator,
    Unsupported,
    normalised_axes,
    normalised_axis,
    shape_of,
)


@dataclass(frozen=True)
class Range:
    """The elements begin, begin + step, ... of one axis, `count` of them."""

    begin: int
    count: int
    step: int = 1


class StridedSlice(Movement):
    name = "strided_slice"
    tflite = ("STRIDED_SLICE",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        shape = node.input(0).shape
        options = node.options("StridedSliceOptions")
        if options.Offset():
            raise Unsupported("its ends count from its begins (`offset`); export it with absolute ends")
        begins, ends, strides = (node.integers(position) for position in (1, 2, 3))
        if not len(begins) == len(ends) == len(strides):
            raise Unsupported(f"{len(begins)} begins, {len(ends)} ends and {len(strides)} strides")
        masks = _Masks.of(options)
        ranges: list[Range] = []
        result: list[int] = []
        for entry, axis in masks.entries(len(begins), len(shape)):
            if axis is None:
                result.append(1)
                continue
            ranges.append(masks.range(entry, shape[axis], begins, ends, strides))
            if not masks.shrinks(entry):
                result.append(ranges[-1].count)
        node.require_output_shape(*result)
        return view(node, self.take(node, node.value(0), ranges), result)

    def take(self, node: Node, x: Any, ranges: Sequence[Range]) -> Any:
        """A range along each axis of a tensor, bound."""
        attributes = {"begin": [part.begin for part in ranges], "step": [part.step for part in ranges]}
        return self.move(node, [x], attributes, [part.count for part in ranges])

    def copies(self, call: Any) -> list[Copy]:
        read = Box.whole(shape_of(call.args[0]))
        for axis, count in enumerate(shape_of(call)):
            read = read.part(axis, int(call.attrs["begin"][axis]), count, int(call.attrs["step"][axis]))
        return [Copy(0, read, Box.whole(shape_of(call)))]


@dataclass(frozen=True)
class _Masks:
    """A bit for each entry of the lists of begins, ends and strides."""

    begin: int
    end: int
    ellipsis: int
    new_axis: int
    shrink: int

    @classmethod
    def of(cls, options: Any) -> _Masks:
        return cls(
            begin=options.BeginMask(),
            end=options.EndMask(),
            ellipsis=options.EllipsisMask(),
            new_axis=options.NewAxisMask(),
            shrink=options.ShrinkAxisMask(),
        )

    def shrinks(self, entry: int | None) -> bool:
        return entry is not None and bool(self.shrink >> entry & 1)

    def entries(self, entries: int, rank: int) -> Iterator[tuple[int | None, int | None]]:
        """Pairs of an entry and the axis that it is about; either may be absent.  Raises Unsupported."""
        named = sum(not (self.new_axis | self.ellipsis) >> entry & 1 for entry in range(entries))
        if named > rank or (self.ellipsis & (self.ellipsis - 1)):
            raise Unsupported(f"{named} ranges for a tensor with {rank} dimensions")
        axis = 0
        for entry in range(entries):
            if self.ellipsis >> entry & 1:
                yield from ((None, axis + k) for k in range(rank - named))
                axis += rank - named
            elif self.new_axis >> entry & 1:
                yield entry, None
            else:
                yield entry, axis
                axis += 1
        yield from ((None, k) for k in range(axis, rank))

    def range(
        self, entry: int | None, size: int, begins: Sequence[int], ends: Sequence[int], strides: Sequence[int]
    ) -> Range:
        """What an entry takes of an axis of `size`.  Raises Unsupported."""
        if entry is None:
            return Range(0, size)
        begin, end, step = begins[entry], ends[entry], strides[entry]
        if self.shrinks(entry):
            begin = 0 if self.begin >> entry & 1 else begin
            if not -size <= begin < size or step < 1:
                raise Unsupported(f"index {begin} with stride {step} of an axis of {size}")
            return Range(begin % size, 1)
        if step == 0:
            raise Unsupported("a stride of 0")
        bounds = slice(
            None if self.begin >> entry & 1 else begin, None if self.end >> entry & 1 else end, step
        )
        taken = range(size)[bounds]
        return Range(taken.start, len(taken), step) if taken else Range(0, 0)


class Slice(Operator):
    name = "slice"
    tflite = ("SLICE",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        shape, begins, sizes = node.input(0).shape, node.integers(1), node.integers(2)
        if not len(begins) == len(sizes) == len(shape):
            raise Unsupported(f"{len(begins)} begins and {len(sizes)} sizes for {len(shape)} dimensions")
        ranges = [
            Range(begin, whole - begin if size == -1 else size)
            for begin, size, whole in zip(begins, sizes, shape, strict=True)
        ]
        for part, whole in zip(ranges, shape, strict=True):
            if part.begin < 0 or part.count < 0 or part.begin + part.count > whole:
                raise Unsupported(f"begins {begins} and sizes {sizes} reach out of {list(shape)}")
        node.require_output_shape(*(part.count for part in ranges))
        return StridedSlice().take(node, node.value(0), ranges)


class Split(Operator):
    """Takes the axis, then the tensor; all parts are equal."""

    name = "split"
    tflite = ("SPLIT",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node, 1)
        outputs = len(node.operator.outputs)
        axis = _single_axis(node, 0, 1)
        size = node.input(1).shape[axis]
        if outputs < 1 or size % outputs:
            raise Unsupported(f"{size} elements along axis {axis} in {outputs} equal parts")
        return _parts(node, 1, axis, [size // outputs] * outputs)


class SplitV(Operator):
    """Takes the tensor, the sizes of its parts, of which one may be -1 for the rest, and the axis."""

    name = "split_v"
    tflite = ("SPLIT_V",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        sizes, axis = node.integers(1), _single_axis(node, 2, 0)
        whole = node.input(0).shape[axis]
        if sizes.count(-1) == 1:
            sizes[sizes.index(-1)] = whole - sum(size for size in sizes if size != -1)
        if min(sizes, default=-1) < 0 or sum(sizes) != whole or len(sizes) != len(node.operator.outputs):
            raise Unsupported(f"parts of {sizes} from {whole} elements into {len(node.operator.outputs)}")
        return _parts(node, 0, axis, sizes)


class Unpack(Operator):
    """One result an index of the axis, which is dropped."""

    name = "unpack"
    tflite = ("UNPACK",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        shape, outputs = node.input(0).shape, len(node.operator.outputs)
        axis = normalised_axis(node.options("UnpackOptions").Axis(), len(shape))
        if outputs != shape[axis]:
            raise Unsupported(f"{shape[axis]} elements along axis {axis} into {outputs} outputs")
        return _parts(node, 0, axis, [1] * outputs, drop=True)


class Reverse(Operator):
    name = "reverse"
    tflite = ("REVERSE_V2",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        shape = node.input(0).shape
        axes = normalised_axes(node.integers(1), len(shape))
        node.require_output_shape(*shape)
        ranges = [
            Range(size - 1, size, -1) if axis in axes and size else Range(0, size)
            for axis, size in enumerate(shape)
        ]
        return StridedSlice().take(node, node.value(0), ranges)


def _single_axis(node: Node, position: int, tensor: int) -> int:
    """The axis in an input, counted from the front, of the tensor in another.  Raises Unsupported."""
    axes = node.integers(position)
    if len(axes) != 1:
        raise Unsupported(f"axes {axes}; one is expected")
    return normalised_axis(axes[0], len(node.input(tensor).shape))


def _parts(node: Node, position: int, axis: int, sizes: Sequence[int], *, drop: bool = False) -> list[Any]:
    """Consecutive parts of an input along an axis, which goes away if `drop` says so; one for each output."""
    shape, begin, results = node.input(position).shape, 0, []
    for output, size in enumerate(sizes):
        ranges = [Range(begin, size) if k == axis else Range(0, whole) for k, whole in enumerate(shape)]
        kept = [part.count for k, part in enumerate(ranges) if not (drop and k == axis)]
        node.require_output_shape(*kept, output=output)
        part = StridedSlice().take(node, node.value(position), ranges)
        results.append(view(node, part, kept))
        begin += size
    return results
