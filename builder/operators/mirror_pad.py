"""A border that mirrors a tensor at its edge: without the edge itself (REFLECT), or with it (SYMMETRIC).

Source: tensorflow/lite/micro/kernels/mirror_pad.cc.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tflite

from builder.families.data_movement import Box, Copy, Movement, require_moved_dtype
from builder.operators.base import Node, Unsupported, shape_of
from builder.operators.pad import paddings


@dataclass(frozen=True)
class _Segment:
    """Along one axis: elements of the result from `start` on, read from `begin` on in steps of `step`."""

    start: int
    begin: int
    step: int
    count: int


class MirrorPad(Movement):
    name = "mirror_pad"
    tflite = ("MIRROR_PAD",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        edge = 1 if node.options("MirrorPadOptions").Mode() == tflite.MirrorPadMode.REFLECT else 0
        shape, pairs = node.input(0).shape, paddings(node)
        if any(max(pair) > size - edge for pair, size in zip(pairs, shape, strict=True) if max(pair)):
            raise Unsupported(f"paddings {pairs} reach farther than {list(shape)} can be mirrored")
        padded = [before + size + after for (before, after), size in zip(pairs, shape, strict=True)]
        node.require_output_shape(*padded)
        attributes: dict[str, int | str | Sequence[int]] = {"before": [b for b, _ in pairs], "edge": edge}
        return self.move(node, [node.value(0)], attributes, padded)

    def copies(self, call: Any) -> list[Copy]:
        source, result = shape_of(call.args[0]), shape_of(call)
        edge, before = int(call.attrs["edge"]), call.attrs["before"]
        axes = [
            _segments(size, int(start), whole - size - int(start), edge)
            for size, start, whole in zip(source, before, result, strict=True)
        ]
        return [_copy(source, result, segments) for segments in itertools.product(*axes)]


def _segments(size: int, before: int, after: int, edge: int) -> list[_Segment]:
    segments = [
        _Segment(0, before - 1 + edge, -1, before),
        _Segment(before, 0, 1, size),
        _Segment(before + size, size - 1 - edge, -1, after),
    ]
    return [segment for segment in segments if segment.count]


def _copy(source: Sequence[int], result: Sequence[int], segments: Sequence[_Segment]) -> Copy:
    read, write = Box.whole(source), Box.whole(result)
    for axis, segment in enumerate(segments):
        read = read.part(axis, segment.begin, segment.count, segment.step)
        write = write.part(axis, segment.start, segment.count)
    return Copy(0, read, write)
