"""The cost model: near what was counted, and choices that follow from it."""

from __future__ import annotations

import pytest
from hypothesis import given

from builder.blocking.cost import CostModel, code_bytes, instructions, is_sensible
from builder.blocking.shapes import Blocking, Convolution, Planes, Strips
from container.manifest import Optimization
from tests.builder.blocking.layers import CONVOLUTIONS

COUNTED = [
    (Convolution(125, 64, 40), Blocking(3, 1, 20), 414_899),
    (Convolution(125, 64, 40), Blocking(1, 4, 20), 498_666),
    (Convolution(125, 64, 64), Blocking(3, 1, 8), 570_791),
    (Convolution(125, 64, 64), Blocking(1, 2, 8), 652_392),
    (Convolution(125, 64, 64), Blocking(1, 1, 8, direct=True), 898_758),
    (Convolution(1024, 16, 144), Blocking(3, 1, 8), 2_639_225),
    (Convolution(1024, 16, 144), Blocking(2, 1, 24), 2_597_788),
    (Convolution(1024, 16, 144), Blocking(2, 2, 8), 3_487_463),
    (Convolution(256, 32, 144), Blocking(4, 1, 24), 1_240_050),
    (Convolution(256, 32, 144), Blocking(1, 2, 24, direct=True), 1_536_778),
]
"""Instructions of layers that ran alone on a Cortex-M4F."""


@pytest.mark.parametrize(("layer", "blocking", "counted"), COUNTED)
def test_near_what_was_counted(layer: Convolution, blocking: Blocking, counted: int) -> None:
    assert instructions(layer, blocking) == pytest.approx(counted, rel=0.15)


@pytest.mark.parametrize("optimization", Optimization)
@given(layer=CONVOLUTIONS)
def test_every_layer_has_a_blocking(layer: Convolution, optimization: Optimization) -> None:
    chosen = CostModel(optimization).convolution(layer)
    assert layer.fault(chosen) is None
    assert is_sensible(layer, chosen)
    assert layer.words != 2 * chosen.unrolled


@given(CONVOLUTIONS)
def test_what_code_and_instructions_weigh(layer: Convolution) -> None:
    """Who asks for speed gets no more instructions, who asks for size no more code."""
    speed, balanced, size = (
        CostModel(optimization).convolution(layer)
        for optimization in (Optimization.SPEED, Optimization.BALANCED, Optimization.SIZE)
    )
    assert instructions(layer, speed) <= instructions(layer, balanced) <= instructions(layer, size)
    assert code_bytes(layer, speed) >= code_bytes(layer, balanced) >= code_bytes(layer, size)


def test_what_it_chooses() -> None:
    """Short columns without a loop; a pair of a single pixel's channels more where there is but one pixel."""
    model = CostModel()
    assert model.convolution(Convolution(125, 64, 40)) == Blocking(3, 1, 20)
    assert model.convolution(Convolution(125, 64, 64)) == Blocking(3, 1, 32)
    assert model.convolution(Convolution(1, 128, 128)).pixels == 1
    assert model.depthwise(Planes(25, 3, 1, 8, has_groups=True)) == Strips(4, 25)
    # 64 halfwords a row: 14 rows fit, so that 25 are parted into 13 and 12.
    assert model.depthwise(Planes(25, 3, 1, 64, has_groups=False)) == Strips(1, 13)


def test_long_columns() -> None:
    """1,800 bytes of which two do not fit as halfwords, and one does not either."""
    assert CostModel().convolution(Convolution(64, 64, 1800)).direct


def test_long_columns_where_memory_is_short() -> None:
    """Two pixels of 800 taps as halfwords take 3,200 bytes, one as bytes 800: all that is left of these."""
    layer = Convolution(64, 32, 800)
    assert layer.column_bytes(CostModel().convolution(layer)) == 3200
    for room, taken in ((3199, 1600), (1599, 800), (0, 800)):
        assert layer.column_bytes(CostModel(column_bytes=room).convolution(layer)) == taken
