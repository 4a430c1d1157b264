"""Random uses of the operators that move elements; they do not care what the elements are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tflite
from hypothesis import strategies as st

from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.operators.mixtures import ANY_SHAPE, Add, Shape, Values, elements, integers, shapes

QUANTIZATION = Quantization((0.5,), (-7,))
"""Of every int8 tensor: what is moved keeps its meaning."""
SYMMETRIC = Quantization((0.5,), (0,))
"""Of every int16 tensor."""


@dataclass(frozen=True)
class Moved:
    """One operator: its operands in order, each a shape to fill or a constant; and the shapes it gives."""

    builtin: str
    operands: tuple[Shape | np.ndarray[Any, Any], ...]
    outputs: tuple[Shape, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def of(self, dtype: str) -> Add:
        return lambda graph, generator: self.add(graph, dtype)

    def add(self, graph: Graph, dtype: str) -> list[Values]:
        """Adds it to a graph; tells what its inputs may be."""
        quantization = {"int8": QUANTIZATION, "int16": SYMMETRIC}.get(dtype)
        inputs: list[Values] = []
        numbers: list[int] = []
        for operand in self.operands:
            if isinstance(operand, np.ndarray):
                numbers.append(graph.constant("c", operand))
            else:
                inputs.append(elements(operand, dtype))
                numbers.append(graph.input("x", operand, dtype, quantization))
        results = [graph.tensor("y", shape, dtype, quantization) for shape in self.outputs]
        graph.operator(self.builtin, numbers, results, **self.options)
        for result in results:
            graph.output(result)
        return inputs


def replaced(shape: Shape, axis: int, *sizes: int) -> Shape:
    return (*shape[:axis], *sizes, *shape[axis + 1 :])


@st.composite
def concatenation(draw: st.DrawFn) -> Moved:
    shape = draw(ANY_SHAPE)
    axis = draw(st.integers(0, len(shape) - 1))
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    inputs = tuple(replaced(shape, axis, size) for size in sizes)
    written = draw(st.sampled_from([axis, axis - len(shape)]))
    return Moved("CONCATENATION", inputs, (replaced(shape, axis, sum(sizes)),), {"axis": written})


@st.composite
def pack(draw: st.DrawFn) -> Moved:
    shape = draw(st.integers(1, 3).flatmap(shapes))
    axis, count = draw(st.integers(0, len(shape))), draw(st.integers(1, 4))
    options = {"axis": axis, "values_count": count}
    return Moved("PACK", (shape,) * count, ((*shape[:axis], count, *shape[axis:]),), options)


@st.composite
def unpack(draw: st.DrawFn) -> Moved:
    shape = draw(st.integers(2, 4).flatmap(shapes))
    axis = draw(st.integers(0, len(shape) - 1))
    options = {"axis": axis, "num": shape[axis]}
    return Moved("UNPACK", (shape,), (replaced(shape, axis),) * shape[axis], options)


@st.composite
def split(draw: st.DrawFn) -> Moved:
    shape, parts = draw(ANY_SHAPE), draw(st.integers(1, 3))
    axis = draw(st.integers(0, len(shape) - 1))
    whole = replaced(shape, axis, shape[axis] * parts)
    return Moved("SPLIT", (integers([axis]), whole), (shape,) * parts, {"num_splits": parts})


@st.composite
def split_v(draw: st.DrawFn) -> Moved:
    shape, sizes = draw(ANY_SHAPE), draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    axis = draw(st.integers(0, len(shape) - 1))
    whole = replaced(shape, axis, sum(sizes))
    outputs = tuple(replaced(shape, axis, size) for size in sizes)
    operands = (whole, integers(sizes), integers([axis]))
    return Moved("SPLIT_V", operands, outputs, {"num_splits": len(sizes)})


@st.composite
def slice_(draw: st.DrawFn) -> Moved:
    shape = draw(ANY_SHAPE)
    begins = [draw(st.integers(0, size - 1)) for size in shape]
    counts = [draw(st.integers(1, size - begin)) for size, begin in zip(shape, begins, strict=True)]
    rest = [begin + count == size for begin, count, size in zip(begins, counts, shape, strict=True)]
    sizes = [-1 if end and draw(st.booleans()) else count for end, count in zip(rest, counts, strict=True)]
    return Moved("SLICE", (shape, integers(begins), integers(sizes)), (tuple(counts),))


@st.composite
def strided_slice(draw: st.DrawFn) -> Moved:
    """Begin, end and stride of each axis with the masks that the reference knows, checked by Python's own."""
    shape = draw(ANY_SHAPE)
    begins: list[int] = []
    ends: list[int] = []
    strides: list[int] = []
    kept: list[int] = []
    masks = {"begin": 0, "end": 0, "shrink_axis": 0}
    for axis, size in enumerate(shape):
        begin, end = draw(st.integers(-size, size - 1)), draw(st.integers(-size - 1, size + 1))
        stride = draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        shrink = draw(st.integers(0, 3)) == 0 and len(shape) > 1
        open_begin, open_end = draw(st.booleans()) and not shrink, draw(st.booleans())
        taken = range(size)[None if open_begin else begin : None if open_end else end : stride]
        if not taken:  # an empty tensor is of no use to anyone
            open_begin = open_end = True
            taken = range(size)[::stride]
        begins.append(begin)
        ends.append(end)
        strides.append(1 if shrink else stride)
        masks["begin"] |= (open_begin and not shrink) << axis
        masks["end"] |= open_end << axis
        masks["shrink_axis"] |= shrink << axis
        if not shrink:
            kept.append(len(taken))
    options = {f"{name}_mask": int(bits) for name, bits in masks.items()}
    operands = (shape, integers(begins), integers(ends), integers(strides))
    return Moved("STRIDED_SLICE", operands, (tuple(kept),), options)


@st.composite
def transpose(draw: st.DrawFn) -> Moved:
    shape = draw(ANY_SHAPE)
    axes = draw(st.permutations(range(len(shape))))
    return Moved("TRANSPOSE", (shape, integers(axes)), (tuple(shape[axis] for axis in axes),))


@st.composite
def paddings(draw: st.DrawFn, shape: Shape, limits: Sequence[int]) -> tuple[list[list[int]], Shape]:
    pairs = [[draw(st.integers(0, limit)), draw(st.integers(0, limit))] for limit in limits]
    return pairs, tuple(size + sum(pair) for size, pair in zip(shape, pairs, strict=True))


@st.composite
def pad(draw: st.DrawFn) -> Moved:
    shape = draw(ANY_SHAPE)
    pairs, padded = draw(paddings(shape, [3] * len(shape)))
    return Moved("PAD", (shape, integers(pairs)), (padded,))


@st.composite
def mirror_pad(draw: st.DrawFn) -> Moved:
    shape = draw(st.integers(1, 3).flatmap(shapes))
    mode = draw(st.sampled_from([tflite.MirrorPadMode.REFLECT, tflite.MirrorPadMode.SYMMETRIC]))
    edge = mode == tflite.MirrorPadMode.REFLECT
    pairs, padded = draw(paddings(shape, [size - edge for size in shape]))
    return Moved("MIRROR_PAD", (shape, integers(pairs)), (padded,), {"mode": int(mode)})


@st.composite
def broadcast_to(draw: st.DrawFn) -> Moved:
    shape = draw(ANY_SHAPE)
    source = tuple(draw(st.sampled_from([1, size])) for size in shape)
    if source[0] == 1 and len(shape) > 1 and draw(st.booleans()):
        source = source[1:]
    return Moved("BROADCAST_TO", (source, integers(shape)), (shape,))


@st.composite
def space_to_depth(draw: st.DrawFn) -> Moved:
    block, (batch, height, width, depth) = draw(st.integers(1, 3)), draw(shapes(4, 3))
    image = (batch, height * block, width * block, depth)
    blocks = (batch, height, width, depth * block * block)
    options = {"block_size": block}
    if draw(st.booleans()):
        return Moved("SPACE_TO_DEPTH", (image,), (blocks,), options)
    return Moved("DEPTH_TO_SPACE", (blocks,), (image,), options)


@st.composite
def space_to_batch(draw: st.DrawFn, *, padded: bool = False) -> Moved:
    """The reference pads with what happens to be in its memory, so it is not asked to, unless `padded`."""
    blocks = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    batch, height, width, depth = draw(shapes(4, 3))
    to_batch = padded or draw(st.booleans())
    borders = [[draw(st.integers(0, 2)), draw(st.integers(0, 2))] for _ in blocks]
    inner = [
        size * block - sum(border)
        for size, block, border in zip((height, width), blocks, borders, strict=True)
    ]
    if min(inner) < 1 or (to_batch and not padded):
        borders, inner = [[0, 0], [0, 0]], [height * blocks[0], width * blocks[1]]
    image, batches = (batch, *inner, depth), (batch * blocks[0] * blocks[1], height, width, depth)
    operands = (integers(blocks), integers(borders))
    if to_batch:
        return Moved("SPACE_TO_BATCH_ND", (image, *operands), (batches,))
    return Moved("BATCH_TO_SPACE_ND", (batches, *operands), (image,))
