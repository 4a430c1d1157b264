"""Kernels whose results lie upon what they read, as near as they say they may, give the reference's bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest

from builder import emit, toolchain
from builder.access_order import Accesses, elementwise_distance, grouped, window_reads
from builder.build import build_container
from builder.families.window import Window
from builder.levels import LEVELS
from builder.plan import Lifetime, Placement, Slide
from container.abi import Profile
from container.sections import Container
from container.tensors import Quantization
from examples.tflite_writer import Graph
from tests.builder.model_runs import int8_samples, model_pipeline, run_tflite_micro
from tests.builder.operators.layers import NONE, SAME, VALID, Layer, conv, depthwise, fully_connected
from tests.builder.support import NO_GOLDEN, run_container

Nearness = Callable[[Slide], int]
"""How many bytes below an argument its result begins."""
NEARNESS: dict[str, Nearness] = {
    "nearest": lambda slide: slide.distance,
    "not behind": lambda slide: max(slide.distance, 0),
    "a step further": lambda slide: slide.distance + slide.step,
}
Q = Quantization((0.05,), (3,))


def laid_out(
    lifetimes: Mapping[int, Lifetime],
    alignment: int,
    slides: Mapping[tuple[int, int], Slide],
    *,
    nearness: Nearness,
    first: bool,
    found: list[tuple[int, int]],
) -> Placement:
    """Nothing shares bytes but a result and its `first` argument, or the last; those pairs are `found`."""
    offsets: dict[int, int] = {}
    end = 0
    for argument, result in list(slides) if first else list(slides)[::-1]:
        if argument not in offsets and result not in offsets:
            below = nearness(slides[argument, result].aligned(alignment))
            offsets[argument], offsets[result] = end + max(below, 0), end + max(-below, 0)
            end = max(offsets[key] + lifetimes[key].bytes for key in (argument, result))
            end = -(-end // alignment) * alignment
            found.append((argument, result))
    for key in lifetimes:
        if key not in offsets:
            offsets[key] = end
            end += -(-lifetimes[key].bytes // alignment) * alignment
    return Placement(offsets, end)


def agrees(
    graph: Graph, patch: pytest.MonkeyPatch, nearness: Nearness, *, pairs: int, first: bool = True
) -> bool:
    """Whether all bytes are the reference's while so many results, or more, lie upon arguments."""
    found: list[tuple[int, int]] = []
    patch.setattr(emit, "place", partial(laid_out, nearness=nearness, first=first, found=found))
    model = graph.to_bytes()
    pipeline = model_pipeline(model)
    data = build_container(pipeline, profiles=[Profile.MCU], golden=NO_GOLDEN)
    assert len(found) >= pairs
    shapes = [stage.outputs[0].shape for stage in pipeline.stages if stage.outputs and not stage.inputs]
    samples = int8_samples(shapes, 5, count=3)
    ours = run_container(Container.parse(data), Profile.MCU, samples)
    theirs = run_tflite_micro(model, samples)
    values = [value.tobytes() for sample in ours for value in sample]
    return values == [value.tobytes() for sample in theirs for value in sample]


def graph_of(layers: list[Layer]) -> Graph:
    graph, generator = Graph("layers"), np.random.default_rng(5)
    for layer in layers:
        layer.add(graph, generator)
    return graph


def window_size(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    return -(-size // stride) if padding == SAME else (size - (kernel - 1) * dilation - 1) // stride + 1


def random_pair(generator: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    return int(generator.integers(low, high)), int(generator.integers(low, high))


def random_layers(count: int, seed: int) -> list[Layer]:
    """Convolutions, also depthwise, of all kinds of windows, sizes and numbers of channels."""
    generator = np.random.default_rng(seed)
    layers = []
    for number in range(count):
        kernel, stride, more = (random_pair(generator, 1, high) for high in (5, 3, 12))
        dilation = (2, 1) if number % 5 == 0 and stride == (1, 1) else (1, 1)
        height, width = ((k - 1) * d + m for k, d, m in zip(kernel, dilation, more, strict=True))
        depth, padding = int(generator.choice([1, 3, 4, 8])), (SAME, VALID)[number % 2]
        y = (
            window_size(height, kernel[0], stride[0], dilation[0], padding),
            window_size(width, kernel[1], stride[1], dilation[1], padding),
        )
        make = conv if number % 3 else depthwise
        channels = int(generator.integers(1, 10)) if number % 3 else depth
        options: dict[str, Any] = {"stride": stride, "dilation": dilation, "padding": padding}
        layers.append(make((height, width, depth), channels, kernel, y, **options))
    return layers


LAYERS = [
    *random_layers(30, 7),
    conv((25, 5, 8), 8, (1, 1), (25, 5)),
    conv((9, 7, 4), 16, (3, 3), (9, 7)),
    conv((9, 8, 16), 4, (3, 3), (5, 4), stride=(2, 2)),
    depthwise((25, 5, 8), 8, (3, 3), (25, 5)),
    depthwise((40, 30, 8), 8, (3, 3), (40, 30)),
    depthwise((41, 30, 8), 8, (3, 3), (21, 15), stride=(2, 2)),
    depthwise((30, 41, 4), 4, (4, 3), (30, 41)),
    fully_connected(5, 6, 7),
    fully_connected(1, 13, 9),
]


@pytest.mark.parametrize(
    ("nearness", "level"), [*(("nearest", level) for level in LEVELS), ("a step further", LEVELS[-1])]
)
def test_convolutions(nearness: str, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a core has: which order a kernel takes depends on it."""
    flags = (*toolchain.COMMON_FLAGS, f"-DRUNE_CORE_LEVEL={level}")
    monkeypatch.setattr(toolchain, "COMMON_FLAGS", flags)
    # A few depthwise ones of few pixels have a kernel that says nothing of its order.
    assert agrees(graph_of(LAYERS), monkeypatch, NEARNESS[nearness], pairs=len(LAYERS) - 3)


@pytest.mark.parametrize(
    "layer",
    [
        conv((25, 5, 8), 8, (1, 1), (25, 5)),
        conv((9, 7, 4), 16, (3, 3), (9, 7)),
        depthwise((40, 30, 8), 8, (3, 3), (40, 30)),
        depthwise((25, 5, 8), 8, (3, 3), (25, 5)),
    ],
    ids=["1x1", "3x3", "depthwise in strips", "depthwise"],
)
def test_what_is_nearer_overwrites(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    """By four bytes, which is no whole pixel where channels must stay in their places."""
    assert not agrees(graph_of([layer]), monkeypatch, lambda slide: max(slide.distance, 0) - 4, pairs=1)


def elementwise_graph() -> tuple[Graph, int]:
    """Sums, poolings, and functions of one argument; and how many there are."""
    graph = Graph("elementwise")
    for shape in ((1, 7, 5, 3), (1, 37)):
        a, b = (
            graph.input("a", shape, "int8", Q),
            graph.input("b", shape, "int8", Quantization((0.02,), (-9,))),
        )
        y = graph.tensor("y", shape, "int8", Quantization((0.1,), (1,)))
        graph.operator("ADD", [a, b], [y], fused_activation_function=NONE)
        graph.output(y)
    for builtin in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        for stride, padding, size in (
            ((2, 2), SAME, (4, 3)),
            ((1, 1), SAME, (7, 5)),
            ((1, 2), VALID, (5, 2)),
        ):
            x = graph.input("x", (1, 7, 5, 6), "int8", Q)
            y = graph.tensor("y", (1, *size, 6), "int8", Q)
            options = {"stride_h": stride[0], "stride_w": stride[1], "filter_height": 3, "filter_width": 3}
            graph.operator(builtin, [x], [y], padding=padding, fused_activation_function=NONE, **options)
            graph.output(y)
    x, y = graph.input("x", (1, 41), "int8", Q), graph.tensor("y", (1, 41), "int8", Q)
    graph.operator("LEAKY_RELU", [x], [y], alpha=0.3)
    graph.output(y)
    x, y = graph.input("x", (1, 43), "int8"), graph.tensor("y", (1, 43), "int32")
    graph.operator("CAST", [x], [y])
    graph.output(y)
    return graph, 10


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("nearness", NEARNESS)
def test_elements_and_poolings(nearness: str, *, first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, count = elementwise_graph()
    assert agrees(graph, monkeypatch, NEARNESS[nearness], pairs=count, first=first)


def test_distances_by_hand() -> None:
    # Groups of three of 5 pixels of 2 channels, read at 0, 2, 4, 6, 8: the last group begins at pixel 2,
    # whose argument at byte 4 is read after six bytes were written.
    pixels = window_reads(Window(1, 1, 1, 1, 1, 1, 0, 0), (1, 5, 2), 1, 5)
    assert grouped(pixels, 2, 3).distance(10) == 2
    # One group reads everything before it writes: the result may lie anywhere.
    assert grouped(pixels, 2, 5).distance(10) == -10
    # 3x3 over rows of 4 pixels: five are written when the second of row 1 is computed, which reads row 0.
    rows = window_reads(Window(3, 3, 1, 1, 1, 1, 1, 1), (3, 4, 1), 3, 4)
    assert rows.tolist() == [0, 0, 1, 2, 0, 0, 1, 2, 4, 4, 5, 6]
    assert grouped(rows, 1, 1).distance(12) == 5
    # Of two images the second is written two bytes further behind than it is read.
    assert grouped(rows, 1, 1).repeated(2, 12, 14).distance(24) == 7
    # Where the group may read to its end, all six bytes are written when pixel 0 is read, and ten when 2 is.
    assert grouped(pixels, 2, 3).interleaved_distance() == 6
    assert Accesses(np.array([0, 10]), np.array([4, 8])).distance(20) == -6
    # int8 to float32 over 5 elements: four are written, 16 bytes, when element 4 is read.
    assert elementwise_distance(5, 1, 4) == 12
    assert elementwise_distance(5, 1, 1) == 0
    assert elementwise_distance(5, 4, 1) == -3
