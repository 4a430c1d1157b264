"""Channels that no output depends on, or that are one number whatever the input.

Forwards: a filter whose sums, from what its inputs can be, all round and clamp to one number gives a constant
channel: all-zero filters do, and those that the clamp cuts off.  Pooling and functions of single elements
give constants of constants.  Backwards: a channel is dead where every consumer either has no weight for it or
can take its constant into the bias, as a convolution can unless taps fall into its padding.  Depthwise
convolutions, pooling and functions of single elements pass channels through, so with the last one its whole
chain is dead.  What is dead is cut out of weights, biases and multipliers.

Only int8 and uint8 are looked at: their sums are exact in any order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import tvm
from tvm import relax

from builder.families.window import Window
from builder.fixed_point import INT32_MAX, INT32_MIN, INTEGER_RANGE
from builder.operators import by_name
from builder.operators.base import constant, constant_value, dtype_of, is_constant, shape_of
from builder.passes.rewriting import Rewriter, is_call, rewrite, variables_in
from builder.quantized import requantized_value

Array: TypeAlias = np.ndarray[Any, Any]

DTYPES = ("int8", "uint8")
SUMS = ("rune.conv2d", "rune.fully_connected")
DEPTHWISE = "rune.depthwise_conv2d"
POOLS = ("rune.max_pool2d", "rune.average_pool2d")
POINTWISE = ("rune.quantize", "rune.lookup", "rune.clamp")
"""Functions of a single element, the same for every channel."""
MAXIMUM_WEIGHTS = 1 << 24
"""Of one operator; a larger one is left alone, since they are looked at in 64 bits."""
PASSING = (*POOLS, *POINTWISE, "relax.reshape")
"""Operators whose channels are those of their input."""


def remove_dead_channels(module: Any) -> Any:
    """The module with dead channels cut out of its convolutions and fully connected layers."""
    kept = dead_channels(module)
    return rewrite(module, (_Cut(kept).call,)) if kept else module


@dataclass
class Facts:
    """What is known of a tensor whose last dimension counts channels, perhaps several times over."""

    call: Any
    channels: int
    low: int
    high: int
    """Bounds of its values."""
    value: dict[int, int]
    """The number that a channel is everywhere, where it is one."""
    is_dead: Array = field(init=False)

    def __post_init__(self) -> None:
        self.is_dead = np.ones(self.channels, bool)


@dataclass(frozen=True)
class Cut:
    """What remains of a tensor, and what its consumers need to know of the rest."""

    alive: Array
    """Numbers of the channels that are kept."""
    channels: int
    value: Mapping[int, int]

    def columns(self, count: int) -> Array:
        """Which of `count` elements, the channels counted over and over, are kept."""
        return np.flatnonzero(np.isin(np.arange(count) % self.channels, self.alive))


def dead_channels(module: Any) -> dict[str, Cut]:
    """What to cut, by the name of the variable."""
    main = module["main"]
    bindings = [(b.var, b.value) for block in main.body.blocks for b in block.bindings]
    facts: dict[Any, Facts] = {}
    for variable, call in bindings:
        found = _facts(call, facts)
        if found is not None:
            facts[variable] = found
    consumers = _consumers(bindings, main.body.body, facts)
    while sum(_narrow(variable, facts, consumers[variable]) for variable in reversed(facts)):
        pass  # each round some channel more turns out to be alive, until none does
    return {
        variable.name: Cut(np.flatnonzero(~found.is_dead), found.channels, found.value)
        for variable, found in facts.items()
        if found.is_dead.any()
    }


def _consumers(
    bindings: Sequence[tuple[Any, Any]], result: Any, facts: Mapping[Any, Facts]
) -> dict[Any, list[Any]]:
    """The variables computed from each; None stands for a use that needs every channel."""
    found: dict[Any, list[Any]] = {variable: [] for variable in facts}
    for user, value in [*bindings, (None, result)]:
        for used in variables_in(value):
            if used in found:
                found[used].append(user if user in facts else None)
    return found


def _facts(call: Any, facts: Mapping[Any, Facts]) -> Facts | None:
    """What can be told of a call's result; None where its channels must stay as they are."""
    if not is_call(call, *SUMS, DEPTHWISE, *PASSING) or dtype_of(call) not in DTYPES or not shape_of(call):
        return None
    source = facts.get(call.args[0]) if isinstance(call.args[0], tvm.ir.Var) else None
    length = shape_of(call)[-1]
    if (
        is_call(call, DEPTHWISE, *POOLS)
        and source is not None
        and source.channels != shape_of(call.args[0])[-1]
    ):
        return None
    if is_call(call, *SUMS, DEPTHWISE):
        return _facts_of_sum(call, source) if _is_plain_sum(call) else None
    if source is None or length % source.channels:
        return None
    if call.op.name == "relax.reshape":
        return Facts(call, source.channels, source.low, source.high, source.value)
    value = {channel: _passed(call, number) for channel, number in source.value.items()}
    known = {channel: number for channel, number in value.items() if number is not None}
    low, high = _bounds(call)
    return Facts(call, source.channels, low, high, known)


def _is_plain_sum(call: Any) -> bool:
    """Whether a call is an integer sum of products with constants, over all of its input's channels."""
    if len(call.args) != 5 or not all(map(is_constant, call.args[1:])):
        return False
    weights, depth = shape_of(call.args[1]), shape_of(call.args[0])[-1]
    if not (depth and 0 < math.prod(weights) <= MAXIMUM_WEIGHTS):
        return False
    return call.op.name == DEPTHWISE or weights[-1] == depth


def _bounds(call: Any) -> tuple[int, int]:
    attributes = dict(call.attrs.items())
    low, high = INTEGER_RANGE[dtype_of(call)]
    return int(attributes.get("low", low)), int(attributes.get("high", high))


def _passed(call: Any, number: int) -> int | None:
    """What a pool or a function of one element makes of a constant; None where that is not known."""
    low, high = _bounds(call)
    if call.op.name in POOLS:
        # The largest of equal numbers is that number, and so is their mean.
        return max(low, min(high, number))
    operator = by_name()[call.op.name]
    constants = [constant_value(argument) for argument in call.args[1:] if is_constant(argument)]
    result = operator.evaluate(call, [np.array([number], dtype_of(call.args[0])), *constants])
    return None if result is None else int(result[0])


def _facts_of_sum(call: Any, source: Facts | None) -> Facts:
    matrix = _matrix(call)
    low, high = _distances(call, source, matrix.shape)
    products = np.stack([matrix * low, matrix * high])
    bias = constant_value(call.args[2]).astype(np.int64)
    least, most = (bias + end.sum(axis=(1, 2)) for end in (products.min(axis=0), products.max(axis=0)))
    multipliers, shifts = (constant_value(argument).tolist() for argument in call.args[3:])
    value = {}
    for channel, ends in enumerate(zip(least.tolist(), most.tolist(), strict=True)):
        numbers = {_rounded(call, end, multipliers[channel], shifts[channel]) for end in ends}
        if len(numbers) == 1 and None not in numbers:
            value[channel] = numbers.pop()
    return Facts(call, len(bias), *_bounds(call), {c: v for c, v in value.items() if v is not None})


def _matrix(call: Any) -> Array:
    """The weights as int64 [output channel, tap, input channel]; a depthwise filter has one input channel."""
    weights = _centred(call, constant_value(call.args[1]))
    if call.op.name == DEPTHWISE:
        return weights.reshape(-1, weights.shape[3]).T[:, :, None]
    return weights.reshape(weights.shape[0], -1, weights.shape[-1])


def _centred(call: Any, weights: Array) -> Array:
    """Weights as distances from their zero point."""
    centred: Array = weights.astype(np.int64) - int(dict(call.attrs.items()).get("weight_zero", 0))
    return centred


def _distances(call: Any, source: Facts | None, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """The least and the largest distance from the zero point that each weight can meet."""
    zero, depth = int(call.attrs["input_zero"]), shape_of(call.args[0])[-1]
    bounds = (source.low, source.high) if source is not None else INTEGER_RANGE[dtype_of(call)]
    low, high = (np.full(depth, bound - zero, np.int64) for bound in bounds)
    if source is not None:
        for channel, number in source.value.items():
            low[channel :: source.channels] = high[channel :: source.channels] = number - zero
    if is_padded(call):
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    if call.op.name == DEPTHWISE:
        low, high = (np.repeat(end, shape[0] // depth)[:, None, None] for end in (low, high))
    return low, high


def _rounded(call: Any, total: int, multiplier: int, shift: int) -> int | None:
    """The result of a sum; None where the sum, or what is made of it, would leave 32 bits."""
    if multiplier < 0 or not INT32_MIN <= total << max(shift, 0) <= INT32_MAX:
        return None
    zero, low, high = (int(call.attrs[name]) for name in ("output_zero", "low", "high"))
    return requantized_value(call.attrs, total, multiplier, shift, zero, low, high)


def is_padded(call: Any) -> bool:
    """Whether some taps of a sum fall outside of its image."""
    if call.op.name == "rune.fully_connected":
        return False
    window, size, result = Window.from_attributes(call.attrs), shape_of(call.args[0]), shape_of(call)
    last_row = (result[1] - 1) * window.stride_height + (window.kernel_height - 1) * window.dilation_height
    last_column = (result[2] - 1) * window.stride_width + (window.kernel_width - 1) * window.dilation_width
    is_inside = last_row - window.pad_top < size[1] and last_column - window.pad_left < size[2]
    return window.pad_top > 0 or window.pad_left > 0 or not is_inside


def _narrow(variable: Any, facts: Mapping[Any, Facts], consumers: Sequence[Any]) -> bool:
    """Takes what some use needs out of a tensor's dead channels; whether anything changed."""
    found = facts[variable]
    before = int(found.is_dead.sum())
    for consumer in consumers:
        found.is_dead &= _unneeded(found, facts[consumer]) if consumer is not None else False
    source = found.call.args[0]
    _tie_to_source(found, facts.get(source) if isinstance(source, tvm.ir.Var) else None)
    if found.is_dead.all():
        found.is_dead[0] = False  # a tensor needs some channel
    return int(found.is_dead.sum()) < before


def _unneeded(source: Facts, consumer: Facts) -> Array:
    """Which channels of its input a consumer can do without."""
    call = consumer.call
    if call.op.name == DEPTHWISE:
        return np.asarray(consumer.is_dead.reshape(source.channels, -1).all(axis=1))
    if call.op.name not in SUMS:
        return consumer.is_dead
    weights = _matrix(call)[~consumer.is_dead]
    used = (weights != 0).sum(axis=(0, 1)).reshape(-1, source.channels).sum(axis=0)
    unused: Array = used == 0
    for channel, number in source.value.items():
        unused[channel] |= number == int(call.attrs["input_zero"]) or not is_padded(call)
    return unused


def _tie_to_source(found: Facts, source: Facts | None) -> None:
    """A channel that is passed through can go only where it came from goes as well."""
    if found.call.op.name in SUMS:
        return
    if source is None:
        found.is_dead[:] = False
    else:
        found.is_dead &= np.repeat(source.is_dead, found.channels // source.channels)


class _Cut:
    """The rule that cuts, given what to cut by the name of the variable."""

    def __init__(self, kept: Mapping[str, Cut]) -> None:
        self._kept = dict(kept)
        self._sources: dict[Any, Cut] = {}
        """What has been cut, by the new variable."""
        self._done: set[str] = set()

    def call(self, rewriter: Rewriter, call: Any) -> Any:
        if rewriter.name in self._done or not isinstance(call, relax.Call) or not call.args:
            return None
        result, source = self._kept.get(rewriter.name), self._source(call)
        if result is None and source is None:
            return None
        self._done.add(rewriter.name)
        variable = rewriter.emit(_cut_call(call, result, source))
        if result is not None:
            self._sources[variable] = result
        return variable

    def _source(self, call: Any) -> Cut | None:
        return self._sources.get(call.args[0]) if isinstance(call.args[0], tvm.ir.Var) else None


def _cut_call(call: Any, result: Cut | None, source: Cut | None) -> Any:
    shape = shape_of(call)
    columns = np.arange(shape[-1]) if result is None else result.columns(shape[-1])
    shape = (*shape[:-1], len(columns))
    if call.op.name == "relax.reshape":
        return relax.op.reshape(call.args[0], shape)
    arguments = call.args[1:]
    if is_call(call, *SUMS, DEPTHWISE):
        arguments = _cut_weights(call, columns, source)
    attributes = dict(call.attrs.items())
    return by_name()[call.op.name].call([call.args[0], *arguments], attributes, shape, dtype_of(call))


def _cut_weights(call: Any, columns: Array, source: Cut | None) -> list[Any]:
    """Weights, bias, multiplier and shift of the results in `columns`, from what is left of the input."""
    weights, *vectors = (constant_value(argument) for argument in call.args[1:])
    bias, multiplier, shift = (vector[columns] for vector in vectors)
    weights = weights[..., columns] if call.op.name == DEPTHWISE else weights[columns]
    if source is not None and call.op.name != DEPTHWISE:
        bias = bias + _constant_part(_centred(call, weights), int(call.attrs["input_zero"]), source)
        weights = weights[..., source.columns(weights.shape[-1])]
    # Sums are taken modulo 2**32, the bias with them.
    return [constant(array) for array in (weights, bias.astype("int32"), multiplier, shift)]


def _constant_part(weights: Array, zero: int, source: Cut) -> Array:
    """What the channels that are gone add to each sum; of weights as distances from their zero point."""
    distances = np.zeros(source.channels, np.int64)
    for channel, number in source.value.items():
        distances[channel] = 0 if channel in source.alive else number - zero
    products = weights * np.tile(distances, weights.shape[-1] // source.channels)
    total: Array = products.reshape(len(weights), math.prod(weights.shape[1:])).sum(axis=1)
    return total
