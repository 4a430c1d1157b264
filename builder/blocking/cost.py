"""The blocking of each layer where none is given."""

from __future__ import annotations

from builder.blocking.shapes import COLUMN_BYTES, GROUP, PLANE_BYTES, Blocking, Convolution, Planes, Strips

PIXELS = 3


def choose_blocking(layer: Convolution) -> Blocking:
    """The blocking of a convolution."""
    pixels = min(layer.pixels, PIXELS)
    unrolled = _unrolled(layer.words)
    if pixels > 1 and layer.column_bytes(Blocking(pixels, 1, unrolled)) <= COLUMN_BYTES:
        return Blocking(pixels, 1, unrolled)
    pairs = 4 if layer.channels > 4 else 2
    # A long column is kept as bytes, of one pixel: a quarter of the memory for a tenth of the speed.
    direct = pixels > 1 or layer.column_bytes(Blocking(pixels, pairs, unrolled)) > COLUMN_BYTES
    return Blocking(1, pairs, unrolled, direct)


def choose_strips(layer: Planes) -> Strips:
    """As many rows of a depthwise convolution as `PLANE_BYTES` hold, but one."""
    group = GROUP if layer.has_groups else 1
    room = PLANE_BYTES // (2 * group * layer.pitch) - layer.extent
    return Strips(group, min(max(room // layer.stride + 1, 1), layer.rows))


def _unrolled(words: int) -> int:
    """Words of a round.

    Never two rounds: the compiler makes a choice of such a counter, by which a board cannot prove its
    accesses.  A round of 8 is where code that grows stops paying, but for short columns, which spend as much on what
    is around.
    """
    if 8 < words <= 16:
        return words
    return next(count for count in (8, 4, 2) if words % count == 0)
