"""The first layers of a network, computed patch by patch instead of layer by layer.

A patch is a band of rows of the last of these layers, and of each layer before it the rows that it depends
on.  So of the images between, which are a network's largest, only a band is ever there; neighbouring bands
overlap, and what both need is computed for each.  The rows of the first image are read where they lie, those
of the last are written where they belong.  Every element is computed by the same operator from the same
inputs, so no bit differs.

Source of the idea: Lin and others, "MCUNetV2: Memory-Efficient Patch-based Inference for Tiny Deep Learning",
2021, section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import tvm
from tvm import relax

from builder.families.elementwise import Elementwise
from builder.families.window import SHARED_PAD, Window
from builder.operators import by_name
from builder.operators.base import dtype_of, is_constant, shape_of
from builder.operators.rows import Rows, StackedRows
from builder.passes.rewriting import is_call, substituted, variables_in
from builder.state import STATES
from builder.target import Target

WINDOWED = ("rune.conv2d", "rune.depthwise_conv2d", "rune.max_pool2d", "rune.average_pool2d")
"""Operators whose `Window` slides over their first argument."""
CONVERSIONS = ("rune.quantize", "rune.dequantize")
"""Element-wise operators that are none of the family's."""
ALIGNMENT = 4
"""Bytes: what kernels may expect of where a tensor begins."""


@dataclass(frozen=True)
class Span:
    """The rows `start` to `stop` of an image, without the last."""

    start: int
    stop: int

    @property
    def rows(self) -> int:
        return self.stop - self.start

    def joined(self, other: Span) -> Span:
        return Span(min(self.start, other.start), max(self.stop, other.stop))


@dataclass(frozen=True)
class Layer:
    """A call that can be computed by rows."""

    variable: Any
    call: Any
    images: tuple[int, ...]
    """Numbers of the arguments of which it needs rows; the others it needs as they are."""
    window: Window | None
    """What slides over its image; None where each row needs the same row of the images."""

    @cached_property
    def sources(self) -> list[Any]:
        """The variables of its images."""
        return [self.call.args[number] for number in self.images]

    @cached_property
    def macs_of_row(self) -> int:
        """Multiply-accumulates of a row of the result."""
        return by_name()[self.call.op.name].macs(self.call) // shape_of(self.call)[1]

    @cached_property
    def height(self) -> int:
        """Rows of its images."""
        return shape_of(self.sources[0])[1]

    def needed(self, rows: Span) -> Span | None:
        """The rows of its images that rows of its result depend on.

        None where a window sees nothing but what is below the image, which no band could say.
        """
        if self.window is None:
            return rows
        first = self._first(rows)
        last = first + (rows.rows - 1) * self.window.stride_height
        last += (self.window.kernel_height - 1) * self.window.dilation_height
        start = max(first, 0)
        return None if start >= self.height else Span(start, max(min(last + 1, self.height), start + 1))

    def _first(self, rows: Span) -> int:
        """The row that the first tap of the first row falls on, which may be outside of the image."""
        return 0 if self.window is None else rows.start * self.window.stride_height - self.window.pad_top

    def of_rows(self, rows: Span, images: Sequence[Any], first: int, shares: bool) -> Any:
        """The call that computes rows of the result from images that begin with row `first`.

        Where it `shares` its kernel with the calls of other patches, the images may begin before the rows
        that are needed.
        """
        one, _, width, channels = shape_of(self.call)
        attributes = dict(self.call.attrs.items())
        if self.window is not None:
            attributes["pad_top"] = first - self._first(rows)
        if shares:
            attributes[SHARED_PAD] = 1
        arguments = list(self.call.args)
        for number, image in zip(self.images, images, strict=True):
            arguments[number] = image
        operator = by_name()[self.call.op.name]
        return operator.call(arguments, attributes, (one, rows.rows, width, channels), dtype_of(self.call))

    def shares(self, target: Target) -> bool:
        """Whether the patches of this layer can share a kernel although their borders differ."""
        if self.window is None or self.window.kernel_height == 1:
            return False
        return by_name()[self.call.op.name].shares_rows(self.call, target)


Spans: TypeAlias = Mapping[Any, Span]
"""By the variable of an image, the rows of it that a patch has."""


@dataclass(frozen=True)
class Region:
    """Layers from one image to another, of which nothing else is used but the last one's result."""

    source: Any
    """The variable of the image that they begin with."""
    layers: tuple[Layer, ...]

    @property
    def result(self) -> Any:
        """The variable of the image that they end with."""
        return self.layers[-1].variable

    @property
    def height(self) -> int:
        """Rows of the result."""
        return shape_of(self.result)[1]

    def spans(self, rows: int) -> list[Spans] | None:
        """For each band of so many rows of the result, the rows of all images that it depends on.

        Of an image all bands have the same number of rows, so that they can share kernels: at the borders
        some that nobody needs, and the last band of the result has some of the one before it.  None where a
        band cannot be computed by itself.
        """
        starts = range(0, self.height, rows)
        needs: list[dict[Any, Span]] = [{self.result: Span(start, start + rows)} for start in starts]
        for layer in reversed(self.layers):
            _make_even(needs, layer.variable)
            for spans in needs:
                needed = layer.needed(spans[layer.variable])
                if needed is None:
                    return None
                for source in layer.sources:
                    spans[source] = needed.joined(spans.get(source, needed))
        _make_even(needs, self.source)
        return list(needs)

    def fits(self, rows: int) -> bool:
        """Whether it can be computed in bands of so many rows, which begin where kernels expect it."""
        bands = self.spans(rows)
        return bands is not None and all(self._is_aligned(spans) for spans in bands)

    def _is_aligned(self, spans: Spans) -> bool:
        starts = [(self.result, spans[self.result].start), (self.source, spans[self.source].start)]
        for layer in self.layers:
            needed = layer.needed(spans[layer.variable])
            if needed is not None:
                starts += [(source, needed.start - spans[source].start) for source in layer.sources]
        return all(_is_aligned(image, start) for image, start in starts)

    def macs(self, rows: int) -> int:
        """Multiply-accumulates of all bands together, what several compute included."""
        bands = self.spans(rows) or []
        return sum(layer.macs_of_row * spans[layer.variable].rows for spans in bands for layer in self.layers)


def _make_even(bands: Sequence[dict[Any, Span]], image: Any) -> None:
    """Gives all bands as many rows of an image as the one that needs most."""
    most, height = max(spans[image].rows for spans in bands), shape_of(image)[1]
    for spans in bands:
        start = min(spans[image].start, height - most)
        spans[image] = Span(start, start + most)


def _is_aligned(image: Any, row: int) -> bool:
    return row * row_bytes(image) % ALIGNMENT == 0


def row_bytes(image: Any) -> int:
    """Bytes of a row of an image."""
    _, _, width, channels = shape_of(image)
    return int(width * channels * tvm.DataType(dtype_of(image)).bits // 8)


def regions(module: Any) -> Iterator[Region]:
    """All regions that begin where a chain of such layers begins, in the order of the module.

    A chain begins at a sensor, or at the result of an operator that is computed as a whole.
    """
    main = module["main"]
    bindings = [(binding.var, binding.value) for block in main.body.blocks for binding in block.bindings]
    users = _users([*bindings, (None, main.body.body)])
    sensors = len(main.params) - int((main.attrs or {}).get(STATES, 0))
    layers: dict[Any, Layer] = {}
    begins = [variable for variable in main.params[:sensors] if _is_image(variable)]
    for variable, value in bindings:
        layer = _layer(variable, value)
        if layer is not None and any(source in begins or source in layers for source in layer.sources):
            layers[variable] = layer
        elif _is_image(variable):
            begins.append(variable)
    for source in begins:
        for variable in layers:
            region = _region(source, variable, layers, users)
            if region is not None:
                yield region


def _users(bindings: Sequence[tuple[Any, Any]]) -> dict[Any, set[Any]]:
    """The variables that are computed of each; None stands for the function's result."""
    users: dict[Any, set[Any]] = {}
    for user, value in bindings:
        for used in variables_in(value):
            users.setdefault(used, set()).add(user)
    return users


def _region(
    source: Any, last: Any, layers: Mapping[Any, Layer], users: Mapping[Any, set[Any]]
) -> Region | None:
    """What is between two images; None where something else enters, or is used outside."""
    wanted, found = [last], {}
    while wanted:
        variable = wanted.pop()
        if variable == source or variable in found:
            continue
        if variable not in layers:
            return None
        found[variable] = layers[variable]
        wanted += layers[variable].sources
    inner = found.keys() - {last}
    if shape_of(last)[1] < 2 or any(not users[variable] <= found.keys() for variable in inner):
        return None
    return Region(source, tuple(layer for variable, layer in layers.items() if variable in found))


def _is_image(variable: Any) -> bool:
    """Whether a value is [1, height, width, channels], none of them 0."""
    if not isinstance(variable.ty, relax.TensorType):
        return False
    shape = shape_of(variable)
    return len(shape) == 4 and shape[0] == 1 and min(shape) > 0


def _layer(variable: Any, call: Any) -> Layer | None:
    """A binding as a layer; None where rows of its result do not follow from rows of images alone."""
    if not _is_image(variable) or not isinstance(call, relax.Call) or not isinstance(call.op, tvm.ir.Op):
        return None
    images = _images(call)
    rest = [argument for number, argument in enumerate(call.args) if number not in images]
    if not images or not all(map(is_constant, rest)):
        return None
    if not all(
        isinstance(call.args[number], tvm.ir.Var) and _is_image(call.args[number]) for number in images
    ):
        return None
    window = Window.from_attributes(call.attrs) if is_call(call, *WINDOWED) else None
    return Layer(variable, call, images, window)


def _images(call: Any) -> tuple[int, ...]:
    """Numbers of the arguments of which rows of a call's result need rows; none where it needs more."""
    if is_call(call, *WINDOWED, *CONVERSIONS):
        return (0,)
    operator = by_name().get(call.op.name)
    if is_call(call, "rune.concatenation") and int(call.attrs["axis"]) == 3:
        return tuple(range(len(call.args)))
    if not isinstance(operator, Elementwise):
        return ()
    operands = range(operator.arity)
    images = [number for number in operands if shape_of(call.args[number]) == shape_of(call)]
    beside = [shape_of(call.args[number]) for number in operands if number not in images]
    # What is broadcast must be the same for each row.
    return tuple(images) if all(len(shape) < 3 or shape[-3] == 1 for shape in beside) else ()


def compute_in_patches(module: Any, region: Region, rows: int, target: Target) -> Any:
    """The module with a region computed in bands of `rows` rows of its result; it `fits` them."""
    main = _Patched(module["main"], region, rows, target).function()
    functions = {v: f for v, f in module.functions.items() if v.name_hint != "main"}
    return tvm.IRModule({**functions, "main": main})


class _Patched:
    """One walk over the function: bands where the region's result was, nothing where the rest was."""

    def __init__(self, function: Any, region: Region, rows: int, target: Target) -> None:
        self._function = function
        self._region = region
        self._bands = region.spans(rows) or []
        self._layers = {layer.variable for layer in region.layers}
        self._sharing = {layer.variable for layer in region.layers if layer.shares(target)}
        self._values: dict[Any, Any] = {}
        self._builder = relax.BlockBuilder()

    def function(self) -> Any:
        attributes = dict(self._function.attrs.items()) if self._function.attrs is not None else None
        with self._builder.function("main", list(self._function.params), attrs=attributes):
            with self._builder.dataflow():
                for block in self._function.body.blocks:
                    for binding in block.bindings:
                        self._bind(binding)
                result = self._builder.emit_output(substituted(self._function.body.body, self._value))
            self._builder.emit_func_output(result)
        return self._builder.get()["main"]

    def _bind(self, binding: Any) -> None:
        if binding.var == self._region.result:
            self._values[binding.var] = self._stacked()
        elif binding.var not in self._layers:
            value = substituted(binding.value, self._value)
            self._values[binding.var] = self._builder.emit(value, binding.var.name)

    def _stacked(self) -> Any:
        """The region's result, of all bands."""
        parts = [self._band(number, spans) for number, spans in enumerate(self._bands)]
        starts = [spans[self._region.result].start for spans in self._bands]
        source = self._values.get(self._region.source, self._region.source)
        stacked = StackedRows().of(parts, starts, source, len(parts) * len(self._layers))
        return self._builder.emit(stacked, self._region.result.name)

    def _band(self, number: int, spans: Spans) -> Any:
        """The band of the region's result."""
        source = self._region.source
        whole = self._values.get(source, source)
        images = {source: self._view(whole, Span(0, shape_of(whole)[1]), spans[source])}
        for layer in self._region.layers:
            rows, shares = spans[layer.variable], layer.variable in self._sharing
            needed = spans[layer.sources[0]] if shares else layer.needed(rows) or rows
            views = [self._view(images[image], spans[image], needed) for image in layer.sources]
            call = layer.of_rows(rows, views, needed.start, shares)
            images[layer.variable] = self._builder.emit(call, patch_name(layer.variable.name, number))
        return images[self._region.result]

    def _view(self, image: Any, has: Span, needed: Span) -> Any:
        if has == needed:
            return image
        start, stop = needed.start - has.start, needed.stop - has.start
        return self._builder.emit(Rows().of(image, start, stop), image.name)

    def _value(self, variable: Any) -> Any:
        return self._values.get(variable, variable)


def patch_name(name: str, number: int) -> str:
    """The name of what a variable is of patch number `number`: `s1__conv_2d_0_` and `_patch2_`."""
    return f"{name.rstrip('0123456789').rstrip('_')}_patch{number}_"
