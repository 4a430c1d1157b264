"""Channels that are proved dead, and those that only look so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.passes.dead_channels import remove_dead_channels
from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import int8_samples
from tests.builder.passes.shrunk import assert_bits_stay, calls_of, operators, shrunk

Q = Quantization((0.05,), (-128,))
"""Of activations after a RELU: real 0 is the lowest number."""
SAME, VALID = 0, 1
RELU = 1


class Network:
    """A chain of layers over one input, with weights that are random unless given."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0) -> None:
        self.graph = Graph("network")
        self.generator = np.random.default_rng(seed)
        self.shape = shape
        self.quantization = Q
        self.value = self.graph.input("x", shape, "int8", Q)

    def conv(
        self,
        filters: int,
        *,
        dead: Sequence[int] = (),
        unused: Sequence[int] = (),
        bias: int | list[int] = 300,
        kernel: int = 1,
        padding: int = VALID,
        activation: int = RELU,
        y: Quantization = Q,
    ) -> Network:
        """A convolution whose filters `dead` are all zero, and which has no weight for channels `unused`."""
        weights = self._weights((filters, kernel, kernel, self.shape[3]))
        weights[list(dead)] = 0
        weights[..., list(unused)] = 0
        shape = (*self._size(kernel, padding), filters)
        return self._weighted("CONV_2D", weights, bias, (1, *shape), padding, activation, y)

    def depthwise(
        self, *, times: int = 1, kernel: int = 3, padding: int = SAME, dead: Sequence[int] = ()
    ) -> Network:
        weights = self._weights((1, kernel, kernel, self.shape[3] * times))
        weights[..., list(dead)] = 0
        shape = (1, *self._size(kernel, padding), weights.shape[3])
        return self._weighted(
            "DEPTHWISE_CONV_2D", weights, 300, shape, padding, RELU, Q, depth_multiplier=times
        )

    def pool(self, builtin: str) -> Network:
        _, height, width, depth = self.shape
        options = {"filter_height": 2, "filter_width": 2, "stride_h": 2, "stride_w": 2, "padding": VALID}
        return self._operator(builtin, [], (1, height // 2, width // 2, depth), self.quantization, **options)

    def flatten(self) -> Network:
        shape = (1, int(np.prod(self.shape)))
        return self._operator(
            "RESHAPE", [self.graph.constant("shape", np.array(shape, "int32"))], shape, self.quantization
        )

    def function(self, builtin: str) -> Network:
        return self._operator(builtin, [], self.shape, Quantization((0.04,), (-100,)))

    def dense(self, units: int) -> Network:
        weights = self._weights((units, self.shape[-1]))
        return self._weighted("FULLY_CONNECTED", weights, 50, (1, units), None, 0, Quantization((0.4,), (3,)))

    def model(self) -> bytes:
        self.graph.output(self.value)
        return self.graph.to_bytes()

    def _weights(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        return self.generator.integers(-127, 128, shape, "int8")

    def _size(self, kernel: int, padding: int) -> tuple[int, int]:
        height, width = self.shape[1:3]
        return (height, width) if padding == SAME else (height - kernel + 1, width - kernel + 1)

    def _weighted(
        self,
        builtin: str,
        weights: np.ndarray[Any, Any],
        bias: int | list[int],
        shape: tuple[int, ...],
        padding: int | None,
        activation: int,
        quantization: Quantization,
        **options: int,
    ) -> Network:
        channels = shape[-1]
        values = self.generator.integers(-bias, bias + 1, channels) if isinstance(bias, int) else bias
        constants = [
            self.graph.constant("w", weights, Quantization((0.01,), (0,))),
            self.graph.constant("b", np.array(values, "int32"), Quantization((0.0005,), (0,))),
        ]
        if padding is not None:
            options = {"padding": padding, "stride_h": 1, "stride_w": 1, **options}
        options["fused_activation_function"] = activation
        return self._operator(builtin, constants, shape, quantization, **options)

    def _operator(
        self,
        builtin: str,
        constants: Sequence[int],
        shape: tuple[int, ...],
        quantization: Quantization,
        **options: int,
    ) -> Network:
        y = self.graph.tensor("y", shape, "int8", quantization)
        self.graph.operator(builtin, [self.value, *constants], [y], **options)
        self.value, self.shape, self.quantization = y, shape, quantization
        return self


IMAGE = (1, 6, 6, 3)
LIT = [0, 2000, 0, 0]
"""A bias of 2000 steps of 0.0005 is 1.0, which is 20 steps above -128."""


def filters(model: bytes) -> list[tuple[int, ...]]:
    """Shapes of the weights that the pass leaves."""
    module, _ = shrunk(model, remove_dead_channels)
    weighted = [call for call in calls_of(module) if len(call.args) == 5]
    return [tuple(int(size) for size in call.args[1].ty.shape.values) for call in weighted]


@pytest.mark.parametrize(
    ("model", "left"),
    [
        # Filters 1 and 4 of six are zero: the next layer gets four channels.
        (Network(IMAGE).conv(6, dead=(1, 4)).conv(5).model(), [(4, 1, 1, 3), (5, 1, 1, 4)]),
        # The same where the next layer's taps fall into padding: -128 stands for 0 there as well.
        (
            Network(IMAGE).conv(6, dead=(1, 4), bias=0).conv(5, kernel=3, padding=SAME).model(),
            [(4, 1, 1, 3), (5, 3, 3, 4)],
        ),
        # No weight of the second layer looks at channels 0 and 5.
        (Network(IMAGE).conv(6).conv(5, unused=(0, 5)).model(), [(4, 1, 1, 3), (5, 1, 1, 4)]),
        # Through a depthwise layer of two filters a channel, which turn a constant into constants: where it
        # pads, because the constant is what it pads with.
        (
            Network(IMAGE).conv(4, dead=(2,), bias=0).depthwise(times=2).conv(3).model(),
            [(3, 1, 1, 3), (1, 3, 3, 6), (3, 1, 1, 6)],
        ),
        (
            Network(IMAGE).conv(4, dead=(2,)).depthwise(times=2, padding=VALID).conv(3).model(),
            [(3, 1, 1, 3), (1, 3, 3, 6), (3, 1, 1, 6)],
        ),
        # Through pooling, flattening and a function of single elements into a fully connected layer.
        (
            Network(IMAGE).conv(4, dead=(0,)).pool("MAX_POOL_2D").flatten().dense(5).model(),
            [(3, 1, 1, 3), (5, 27)],
        ),
        (
            Network(IMAGE)
            .conv(4, dead=(0,))
            .pool("AVERAGE_POOL_2D")
            .function("RELU")
            .flatten()
            .dense(5)
            .model(),
            [(3, 1, 1, 3), (5, 27)],
        ),
        # A constant other than what stands for 0: taps that fall into padding see 0 and not it, so no bias
        # makes up for it, and a depthwise layer does not make one number of it.
        (
            Network(IMAGE).conv(4, dead=(1,), bias=LIT).conv(2, kernel=3, padding=SAME).model(),
            [(4, 1, 1, 3), (2, 3, 3, 4)],
        ),
        (
            Network(IMAGE).conv(4, dead=(1,), bias=LIT).depthwise().conv(3).model(),
            [(4, 1, 1, 3), (1, 3, 3, 4), (3, 1, 1, 4)],
        ),
        # ... but it does where nothing is padded.
        (
            Network(IMAGE).conv(4, dead=(1,), bias=LIT).conv(2, kernel=3).model(),
            [(3, 1, 1, 3), (2, 3, 3, 3)],
        ),
        (Network((1, 8)).dense(4).dense(3).model(), [(4, 8), (3, 4)]),
        # The outputs themselves stay, whatever they are.
        (Network(IMAGE).conv(6, dead=(1, 4)).model(), [(6, 1, 1, 3)]),
        # Where all are dead one must stay, for a tensor needs a channel.
        (Network(IMAGE).conv(3, dead=(0, 1, 2)).conv(2).model(), [(1, 1, 1, 3), (2, 1, 1, 1)]),
    ],
)
def test_what_is_dead_is_cut(
    model: bytes, left: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert filters(model) == left
    assert_bits_stay(
        model, int8_samples([tuple(input_shape(model))], 0, 3), monkeypatch, remove_dead_channels
    )


def input_shape(model: bytes) -> Sequence[int]:
    module, _ = shrunk(model)
    return [int(size) for size in module["main"].params[0].ty.shape.values]


def test_a_filter_that_the_clamp_cuts_off_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three taps of at most 127 * 255 do not reach from -200,000 to 0, where RELU begins."""
    graph = Graph("clamped")
    x = graph.input("x", IMAGE, "int8", Q)
    weights = np.random.default_rng(0).integers(-127, 128, (4, 1, 1, 3), "int8")
    w = graph.constant("w", weights, Quantization((0.01,), (0,)))
    bias = np.array([0, -200_000, 100, -(127 * 255 * 3)], "int32")
    y = graph.tensor("y", (1, 6, 6, 4), "int8", Q)
    window = {"padding": VALID, "stride_h": 1, "stride_w": 1}
    graph.operator(
        "CONV_2D", [x, w, graph.constant("b", bias)], [y], fused_activation_function=RELU, **window
    )
    last = graph.tensor("last", (1, 6, 6, 2), "int8", Q)
    weights = np.random.default_rng(1).integers(-127, 128, (2, 1, 1, 4), "int8")
    w = graph.constant("v", weights, Quantization((0.01,), (0,)))
    graph.operator("CONV_2D", [y, w, graph.constant("c", np.zeros(2, "int32"))], [last], **window)
    graph.output(last)
    model = graph.to_bytes()
    assert filters(model) == [(2, 1, 1, 3), (2, 1, 1, 2)]
    assert_bits_stay(model, int8_samples([IMAGE], 0, 3), monkeypatch, remove_dead_channels)


def test_a_channel_that_anyone_else_sees_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(IMAGE).conv(6, dead=(1, 4))
    network.graph.output(network.value)
    model = network.conv(5).model()
    assert filters(model) == [(6, 1, 1, 3), (5, 1, 1, 6)]
    assert_bits_stay(model, int8_samples([IMAGE], 0, 2), monkeypatch, remove_dead_channels)


def test_what_is_removed_is_counted() -> None:
    """36 positions: two filters of 3 weights, and two channels of five filters behind them."""
    _, (removed,) = shrunk(Network(IMAGE).conv(6, dead=(1, 4)).conv(5).model(), remove_dead_channels)
    assert (removed.name, removed.operations, removed.macs) == (
        "remove_dead_channels",
        0,
        36 * (2 * 3 + 2 * 5),
    )
    assert removed.weight_bytes >= 2 * 3 + 2 * 5


@st.composite
def networks(draw: st.DrawFn) -> tuple[bytes, int]:
    """Chains of layers with some filters zero, and some channels that nobody looks at."""
    seed = draw(st.integers(0, 2**32 - 1))
    network = Network((1, 7, 8, draw(st.integers(1, 3))), seed)
    for _ in range(draw(st.integers(2, 4))):
        kind = draw(st.sampled_from(["conv", "depthwise", "pool", "function"]))
        channels = st.sets(st.integers(0, network.shape[3] - 1), max_size=2)
        padding = draw(st.sampled_from([SAME, VALID]))
        if min(network.shape[1:3]) < 3:
            padding, kind = SAME, "conv"
        if kind == "conv":
            count = draw(st.integers(2, 6))
            network.conv(
                count,
                dead=tuple(draw(st.sets(st.integers(0, count - 1), max_size=count - 1))),
                unused=tuple(draw(channels)),
                bias=draw(st.sampled_from([0, 500, 20_000])),
                kernel=draw(st.integers(1, 3)) if padding == SAME else 2,
                padding=padding,
                activation=draw(st.sampled_from([0, RELU])),
                y=draw(st.sampled_from([Q, Quantization((0.07,), (11,))])),
            )
        elif kind == "depthwise":
            network.depthwise(times=draw(st.integers(1, 2)), padding=padding, dead=tuple(draw(channels)))
        elif kind == "pool":
            network.pool(draw(st.sampled_from(["MAX_POOL_2D", "AVERAGE_POOL_2D"])))
        else:
            network.function("QUANTIZE")
    return network.flatten().dense(4).model(), seed


@settings(max_examples=6)
@given(networks())
def test_no_bit_changes_whatever_is_cut(case: tuple[bytes, int]) -> None:
    model, seed = case
    with pytest.MonkeyPatch.context() as patched:
        shape = tuple(input_shape(model))
        assert_bits_stay(model, int8_samples([shape], seed, 3), patched, remove_dead_channels)


def test_operators_stay_in_their_order() -> None:
    module, _ = shrunk(Network(IMAGE).conv(4, dead=(0,)).depthwise().conv(3).model(), remove_dead_channels)
    assert operators(module) == ["conv2d", "depthwise_conv2d", "conv2d"]
