"""Shapes of layers at random, for properties that all of them have."""

from __future__ import annotations

from hypothesis import strategies as st

from builder.blocking.shapes import Convolution, Planes

CONVOLUTIONS = st.builds(
    Convolution,
    pixels=st.integers(1, 100),
    channels=st.integers(1, 70),
    taps=st.integers(1, 2000),
    wide=st.booleans(),
)
PLANES = st.builds(
    Planes,
    rows=st.integers(1, 100),
    extent=st.integers(1, 11),
    stride=st.integers(1, 3),
    pitch=st.integers(1, 200).map(lambda halves: 2 * halves),
    has_groups=st.booleans(),
)
