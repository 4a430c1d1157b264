"""Elements and slices picked by index.

GATHER takes slices across one axis, for each batch its own where `batch_dims` says so; GATHER_ND takes what
lies at a list of positions; EMBEDDING_LOOKUP takes rows.  An index out of range fails the stage at run time
and is refused where it is a constant.
Source: gather.cc, gather_nd.cc and embedding_lookup.cc of tensorflow/lite/micro/kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from builder import tir
from builder.families.data_movement import require_moved_dtype, view
from builder.operators.base import (
    Kernel,
    Node,
    Operator,
    Unsupported,
    constant,
    constant_value,
    dtype_of,
    is_constant,
    normalised_axis,
    shape_of,
)
from builder.operators.strided_slice import Range, StridedSlice
from builder.target import Target
from container.abi import Failure


class Gather(Operator):
    """On x[batch, outer, axis, inner] and indices[batch, n] gives [batch, outer, n, inner]."""

    name = "gather"
    tflite = ("GATHER",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        options = node.options("GatherOptions")
        indices = node.input(1).shape
        axis = normalised_axis(options.Axis(), len(node.input(0).shape))
        batches = options.BatchDims() + (len(indices) if options.BatchDims() < 0 else 0)
        if not 0 <= batches <= min(axis, len(indices)):
            raise Unsupported(f"{batches} batch dimensions before axis {axis} and {list(indices)} indices")
        return self.read(node, axis, batches)

    def read(self, node: Node, axis: int, batches: int) -> Any:
        shape, indices = node.input(0).shape, node.input(1).shape
        if shape[:batches] != indices[:batches]:
            raise Unsupported(f"batches {list(indices[:batches])} of {list(shape)}")
        result = (*shape[:axis], *indices[batches:], *shape[axis + 1 :])
        node.require_output_shape(*result)
        x, places = node.value(0), _indices(node, 1)
        if is_constant(places):
            _require_inside(constant_value(places), (shape[axis],))
            if not batches:
                picked = _evenly_spaced(node, x, constant_value(places).reshape(-1), axis)
                if picked is not None:
                    return view(node, picked, result)
        batch, outer = math.prod(shape[:batches]), math.prod(shape[batches:axis])
        inner, count = math.prod(shape[axis + 1 :]), math.prod(indices[batches:])
        x = view(node, x, (batch, outer, shape[axis], inner))
        places = view(node, places, (batch, count))
        call = self.call([x, places], {}, (batch, outer, count, inner), node.output().dtype)
        return view(node, node.emit(call), result)

    def evaluate(self, call: Any, values: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any] | None:
        x, indices = values
        if not _are_inside(indices, x.shape[2:3]):
            return None
        batch, outer = np.ix_(*map(np.arange, x.shape[:2]))
        return np.asarray(x[batch[..., None], outer[..., None], indices[:, None]])

    def lower(self, call: Any, target: Target) -> Kernel:
        shape, size = shape_of(call), shape_of(call.args[0])[2]

        def body(x: Any, indices: Any, y: Any) -> None:
            batch, outer, count, inner = shape
            with tir.loops(batch, outer, count) as (n, o, k):
                place = tir.Cell("int32", indices[n, k])
                _fail_unless_inside(place.value, size)
                with tir.loop(inner) as i:
                    tir.store(y, (n, o, k, i), x[n, o, place.value, i])

        return _kernel(call, body)


class EmbeddingLookup(Operator):
    """Takes the indices first, and a table of rows."""

    name = "embedding_lookup"
    tflite = ("EMBEDDING_LOOKUP",)

    def read_tflite(self, node: Node) -> Any:
        indices, table = (*node.operator.inputs, -1, -1)[:2]
        swapped = replace(node, operator=replace(node.operator, inputs=(table, indices)))
        require_moved_dtype(swapped)
        if len(swapped.input(1).shape) != 1 or not swapped.input(0).shape:
            raise Unsupported("its indices are no list; one dimension is expected")
        return Gather().read(swapped, 0, 0)


class GatherNd(Operator):
    """On x[sizes..., inner] and indices[n, len(sizes)] gives [n, inner]."""

    name = "gather_nd"
    tflite = ("GATHER_ND",)

    def read_tflite(self, node: Node) -> Any:
        require_moved_dtype(node)
        shape, indices = node.input(0).shape, node.input(1).shape
        if not indices or not 1 <= indices[-1] <= len(shape):
            raise Unsupported(f"indices of {list(indices)} into {list(shape)}")
        depth, count = indices[-1], math.prod(indices[:-1])
        result = (*indices[:-1], *shape[depth:])
        node.require_output_shape(*result)
        places = view(node, _indices(node, 1), (count, depth))
        if is_constant(places):
            _require_inside(constant_value(places), shape[:depth])
        inner = math.prod(shape[depth:])
        x = view(node, node.value(0), (*shape[:depth], inner))
        call = self.call([x, places], {}, (count, inner), node.output().dtype)
        return view(node, node.emit(call), result)

    def evaluate(self, call: Any, values: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any] | None:
        x, indices = values
        return np.asarray(x[tuple(indices.T)]) if _are_inside(indices, x.shape[:-1]) else None

    def lower(self, call: Any, target: Target) -> Kernel:
        count, inner = shape_of(call)
        sizes = shape_of(call.args[0])[:-1]

        def body(x: Any, indices: Any, y: Any) -> None:
            with tir.loop(count) as k:
                place = [tir.Cell("int32", indices[k, axis]) for axis in range(len(sizes))]
                for index, size in zip(place, sizes, strict=True):
                    _fail_unless_inside(index.value, size)
                with tir.loop(inner) as i:
                    tir.store(y, (k, i), x[(*(index.value for index in place), i)])

        return _kernel(call, body)


def _kernel(call: Any, body: Any) -> Kernel:
    tensors = [*call.args, call]
    names = ["x", "indices", "y"]
    buffers = [(name, shape_of(t), dtype_of(t)) for name, t in zip(names, tensors, strict=True)]
    return Kernel(tir.kernel(buffers, body), call.args)


def _indices(node: Node, position: int) -> Any:
    """The indices, int32.  Raises Unsupported for int64 ones that are not constant."""
    value = node.value(position)
    if is_constant(value) and dtype_of(value) == "int64":
        return constant(np.clip(constant_value(value), -1, np.iinfo("int32").max).astype("int32"))
    if dtype_of(value) != "int32":
        raise Unsupported(f"its indices are {dtype_of(value)}; expected int32")
    return value


def _are_inside(indices: np.ndarray[Any, Any], sizes: Sequence[int]) -> bool:
    """Whether every index is one of its axis; `sizes` counts along the last dimension."""
    return not indices.size or bool(indices.min() >= 0 and np.all(indices < np.array(sizes)))


def _require_inside(indices: np.ndarray[Any, Any], sizes: Sequence[int]) -> None:
    """Raises Unsupported unless every constant index is one of its axis."""
    if not _are_inside(indices, sizes):
        raise Unsupported(f"an index out of range: {indices.min()} to {indices.max()} into {list(sizes)}")


def _evenly_spaced(node: Node, x: Any, indices: np.ndarray[Any, Any], axis: int) -> Any:
    """The slices where the indices are evenly spaced; None otherwise."""
    steps = np.unique(np.diff(indices))
    if len(indices) == 0 or len(steps) > 1:
        return None
    ranges = [Range(0, size) for size in shape_of(x)]
    ranges[axis] = Range(int(indices[0]), len(indices), int(steps[0]) if len(steps) else 1)
    return StridedSlice().take(node, x, ranges)


def _fail_unless_inside(index: Any, size: int) -> None:
    with tir.when(tir.either(index < 0, index >= size)):
        tir.fail(Failure.INDEX)
