"""First layers computed band by band: the bits stay, whatever the layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from builder import build
from builder.lower import lower
from builder.passes.patches import Region, Span, compute_in_patches, regions
from builder.program import read_program
from builder.shrinking import work
from builder.target import Target
from container.abi import Profile
from examples.tflite_writer import Graph
from tests.builder.model_runs import assert_equals_tflite_micro, int8_samples
from tests.builder.passes.chains import NONE, RELU, RELU6, VALID, Chain
from tests.builder.passes.shrunk import operators, shrunk


def strided(graph: Graph) -> Chain:
    """A first layer as MobileNet has it, an odd height."""
    chain = Chain(graph, "strided", (17, 12, 3), 1)
    return (
        chain.conv(8, (3, 3), stride=2, activation=RELU6).depthwise((3, 3)).conv(12, (1, 1), activation=RELU)
    )


def residual(graph: Graph) -> Chain:
    chain = Chain(graph, "residual", (13, 8, 4), 2).conv(8, (3, 3), activation=RELU)
    other, quantization = chain.last, chain.quantization
    return chain.conv(8, (3, 3)).conv(8, (3, 3), activation=RELU).add(other, quantization)


def valid(graph: Graph) -> Chain:
    chain = Chain(graph, "valid", (19, 13, 4), 3).conv(4, (5, 3), padding=VALID)
    return chain.depthwise((3, 3), stride=2, multiplier=2, padding=VALID, activation=RELU)


def dilated(graph: Graph) -> Chain:
    chain = Chain(graph, "dilated", (16, 9, 4), 4).conv(8, (3, 3), dilation=2)
    return chain.depthwise((3, 3), dilation=3).hard_swish()


def pooled(graph: Graph) -> Chain:
    chain = Chain(graph, "pooled", (15, 12, 1), 5).conv(8, (3, 3)).pool("MAX_POOL_2D", 3, stride=2)
    return chain.conv(16, (3, 3)).pool("AVERAGE_POOL_2D", 3).conv(4, (1, 1))


def concatenated(graph: Graph) -> Chain:
    chain = Chain(graph, "concatenated", (12, 8, 8), 6).pool("MAX_POOL_2D", 2)
    other = chain.last
    return chain.pool("AVERAGE_POOL_2D", 3).concatenate(other, 8).conv(16, (3, 3), stride=2)


def vectors(graph: Graph) -> Chain:
    """Channels enough for every kernel of vectors, Winograd's among them."""
    return Chain(graph, "vectors", (14, 10, 8), 7).conv(16, (3, 3)).conv(16, (3, 3), activation=NONE)


def model_of(*chains: Callable[[Graph], Chain]) -> tuple[bytes, list[tuple[int, ...]]]:
    """A model of several chains, an input and an output each, and the shapes of the inputs."""
    graph = Graph("chains")
    shapes = []
    for chain in chains:
        built = chain(graph)
        shapes.append(graph.tensors[graph.inputs[-1]].shape)
        graph.output(built.last)
    return graph.to_bytes(), shapes


def longest(module: Any, sensor: int) -> Region:
    """The longest region from a sensor."""
    found = [r for r in regions(module) if r.source == module["main"].params[sensor]]
    return max(found, key=lambda region: len(region.layers))


def in_bands(module: Any, rows: int, target: Target) -> Any:
    """Each chain, as long as it is, in bands of so many rows."""
    for sensor in range(len(module["main"].params)):
        region = longest(module, sensor)
        assert region.fits(rows)
        module = compute_in_patches(module, region, rows, target)
    return module


@pytest.mark.parametrize(
    ("rows", "chains"),
    [(1, (strided, residual)), (2, (valid, dilated, vectors)), (4, (pooled, concatenated))],
)
def test_every_bit_of_bands_is_that_of_the_reference(
    rows: int, chains: Sequence[Callable[[Graph], Chain]], monkeypatch: pytest.MonkeyPatch
) -> None:
    emit = build.emit_target

    def emit_patches(pipeline: Any, module: Any, target: Target) -> Any:
        return emit(pipeline, in_bands(module, rows, target), target)

    monkeypatch.setattr(build, "emit_target", emit_patches)
    model, shapes = model_of(*chains)
    assert_equals_tflite_micro(model, int8_samples(shapes, rows, 3))


def test_bands_read_only_the_rows_that_they_depend_on() -> None:
    """Two 3x3 windows of stride 2 and 1 on 17 rows: rows a to b of the result need 2 a - 3 to 2 b + 3.

    All bands are of one size; what is cut off at the top is added below, and the other way round.
    """
    model, _ = model_of(strided)
    module, _ = shrunk(model)
    region = longest(module, 0)
    first = region.layers[0].variable
    assert region.height == 9
    assert region.spans(4) == [
        {**every(region, Span(0, 4)), first: Span(0, 6), region.source: Span(0, 12)},
        {**every(region, Span(4, 8)), first: Span(3, 9), region.source: Span(5, 17)},
        {**every(region, Span(5, 9)), first: Span(3, 9), region.source: Span(5, 17)},
    ]
    assert region.macs(4) == 3 * 6 * (6 * 27 * 8 + 4 * 9 * 8 + 4 * 8 * 12)


def test_kernels_of_boards_are_the_same_for_all_bands() -> None:
    """Of eight bands the first and the last are at a border, and so are those next to them."""
    module, _ = shrunk(model_of(residual)[0])
    target = Target(Profile.MCU)
    whole, bands = (read_program(lower(m, target)) for m in (module, in_bands(module, 2, target)))
    assert len(whole.steps) == 4
    assert len(bands.steps) == 4 * 7
    assert len(bands.functions) == len(whole.functions)


def every(region: Region, span: Span) -> dict[Any, Span]:
    return {layer.variable: span for layer in region.layers}


def test_views_are_no_operations() -> None:
    module, _ = shrunk(model_of(strided)[0])
    patched = compute_in_patches(module, longest(module, 0), 3, Target(Profile.SIMD))
    found = operators(patched)
    assert found.count("conv2d") == 2 * 3
    assert found.count("stacked_rows") == 1
    assert work(patched).operations == 3 * work(module).operations
    assert work(patched).weight_bytes == work(module).weight_bytes


def test_what_is_used_elsewhere_is_computed_as_a_whole() -> None:
    """The first layer's result is an output, so only the layers behind it can be patches."""
    graph = Graph("shared")
    chain = Chain(graph, "shared", (12, 8, 4), 1).conv(4, (3, 3))
    graph.output(chain.last)
    graph.output(chain.conv(4, (3, 3)).conv(4, (3, 3)).last)
    module, _ = shrunk(graph.to_bytes())
    assert [len(region.layers) for region in regions(module)] == [1]


def test_rows_that_begin_inside_of_a_word_are_not_offered() -> None:
    graph = Graph("odd")
    graph.output(Chain(graph, "odd", (12, 7, 1), 1).conv(4, (3, 3)).last)
    module, _ = shrunk(graph.to_bytes())
    (region,) = regions(module)
    assert [rows for rows in (1, 2, 3, 4, 5, 6) if region.fits(rows)] == []
