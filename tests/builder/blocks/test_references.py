"""Proc blocks against their NumPy references, on random types, shapes and values.

All cases of one example run in one container.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from container.tensors import ElementType
from tests.builder.blocks.cases import Case, case, check, tensor
from tests.builder.support import Array

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
NUMBERS = (*INTEGERS, "float32", "float64")
SHAPES = st.lists(st.integers(1, 5), min_size=0, max_size=4).map(tuple)
# Without shrinking, since each attempt builds a container; the message names the case that fails.
EXAMPLES = settings(max_examples=3, phases=(Phase.generate,))


def values(
    dtypes: Sequence[str], shapes: st.SearchStrategy[tuple[int, ...]] = SHAPES
) -> st.SearchStrategy[Array]:
    """Tensors over the whole range of their dtype, NaN and infinities included, with many equal elements."""
    return st.tuples(st.sampled_from(dtypes), shapes).flatmap(lambda pair: arrays.arrays(pair[0], pair[1]))


def small(dtypes: Sequence[str]) -> st.SearchStrategy[Array]:
    """Tensors of a few small numbers, so that many are equal."""
    elements = st.sampled_from([0, 1, 2, 100])
    return st.tuples(st.sampled_from(dtypes), SHAPES).flatmap(
        lambda pair: arrays.arrays(pair[0], pair[1], elements=elements)
    )


def element_name(dtype: str) -> str:
    return ElementType.from_dtype(dtype).value


MODULO = st.builds(
    lambda x, m: case("modulo", x, modulus=m), values(NUMBERS), st.integers(1, 127)
) | st.builds(
    lambda x, m: case("modulo", x, modulus=m), values(("float32", "float64")), st.floats(0.125, 1e9)
)
CAST = st.builds(
    lambda x, dtype: case("cast", x, type=element_name(dtype)), values(NUMBERS), st.sampled_from(NUMBERS)
)
CLIP = st.builds(
    lambda x, low, extent: case("clip", x, low=low, high=low + extent),
    values(NUMBERS),
    st.floats(0, 60),
    st.floats(1, 60),
)
SCALE = st.builds(
    lambda x, factor, offset: case("scale", x, factor=factor, offset=offset),
    values(NUMBERS),
    st.floats(-1e3, 1e3),
    st.floats(-1e3, 1e3),
)
NORMALIZE = st.builds(
    lambda x: case("normalize", x),
    values(INTEGERS)
    | values(("float32", "float64")).map(lambda x: np.where(np.abs(x) < 1e30, x, np.nan).astype(x.dtype)),
)
PIXELS = st.builds(lambda x: case("image-normalization", x), values(INTEGERS[:4]))
SOUND = st.builds(
    lambda x, scale: case("audio_float_conversion", x, full_scale=scale),
    values(("int8", "int16", "int32")),
    st.integers(1, 2**31),
)
THRESHOLD = st.builds(
    lambda x, threshold: case("binary_classification", x, threshold=threshold),
    values(NUMBERS),
    st.floats(-1e20, 1e20) | st.integers(-200, 200),
)
QUANTIZED_THRESHOLD = st.builds(
    lambda x, zero, threshold: case(
        "binary_classification",
        x,
        types=[tensor("i8", *x.shape, scale=0.1, zero_point=zero)],
        threshold=threshold,
    ),
    values(("int8",)),
    st.integers(-128, 127),
    st.floats(-20, 20),
)
QUANTIZE = st.builds(
    lambda x, scale, zero, target: case("quantize", x, scale=scale, zero_point=zero, type=target),
    values(("float32", *INTEGERS[:6])),
    st.floats(0.01, 1e3),
    st.integers(0, 127),
    st.sampled_from(["i8", "u8", "i16", "u16"]),
)
RESCALE = st.builds(
    lambda x, source, target, zero: case(
        "quantize",
        x,
        types=[tensor(element_name(x.dtype.name), *x.shape, scale=source, zero_point=zero)],
        scale=target,
        zero_point=5,
        type="i16",
    ),
    values(INTEGERS[:4]),
    st.floats(0.01, 10),
    st.floats(0.01, 10),
    st.integers(0, 100),
)
DEQUANTIZE = st.builds(
    lambda x, scale, zero: case("dequantize", x, scale=scale, zero_point=zero),
    values(INTEGERS[:4]),
    st.floats(0.01, 1e3),
    st.integers(0, 127),
)
ELEMENTWISE = (
    MODULO
    | CAST
    | CLIP
    | SCALE
    | PIXELS
    | SOUND
    | THRESHOLD
    | QUANTIZED_THRESHOLD
    | QUANTIZE
    | RESCALE
    | DEQUANTIZE
)


def best(x: Array, part: float) -> Case:
    return case("most_confident_indices", x, count=max(1, round(part * x.size)))


def along(name: str, x: Array, part: float) -> Case:
    """A block along one of the axes that the tensor has."""
    return case(name, x, axis=math.floor(part * x.ndim) - x.ndim)


PART = st.floats(0, 0.999)
BEST = st.builds(best, values(NUMBERS) | small(NUMBERS), PART)
ARGMAX = st.builds(lambda x: case("argmax", x), small(NUMBERS)) | st.builds(
    lambda x, part: along("argmax", x, part), small(NUMBERS).filter(lambda x: x.ndim > 0), PART
)
SEGMENTS = st.builds(
    lambda x, part: along("segment_output", x, part), small(NUMBERS).filter(lambda x: x.ndim > 1), PART
)
TRANSPOSE = values(NUMBERS).flatmap(
    lambda x: st.permutations(range(x.ndim)).map(lambda axes: case("transpose", x, axes=tuple(axes)))
)
RESHAPE = st.builds(lambda x: case("reshape", x, shape=(-1, 1)), values(NUMBERS))
LABEL = st.builds(
    lambda x: case("label", x, labels=tuple(f"label {i}" for i in range(101))),
    small(INTEGERS),
)
DECODE = st.builds(lambda x: case("utf8_decode", x), values(("uint8",)))
OTHERS = NORMALIZE | BEST | ARGMAX | SEGMENTS | TRANSPOSE | RESHAPE | LABEL | DECODE


@EXAMPLES
@given(st.lists(ELEMENTWISE, min_size=20, max_size=20))
def test_elementwise_blocks(cases: list[Case]) -> None:
    check(cases)


@EXAMPLES
@given(st.lists(OTHERS, min_size=20, max_size=20))
def test_other_blocks(cases: list[Case]) -> None:
    check(cases)


@EXAMPLES
@given(values(("float32",)).map(lambda x: np.nan_to_num(x, posinf=50, neginf=-50).clip(-1e4, 1e4)))
def test_softmax(x: Array) -> None:
    check([case("softmax", x)], tolerance=1e-6)


@EXAMPLES
@given(
    st.lists(
        st.builds(
            lambda x, scale: case("softmax", x, types=[tensor("i8", *x.shape, scale=scale)]),
            values(("int8",)),
            st.floats(0.001, 2),
        ),
        min_size=8,
        max_size=8,
    )
)
def test_softmax_of_int8(cases: list[Case]) -> None:
    check(cases)
    for each in cases:
        (kind,) = each.use.inputs
        assert kind.quantization is not None
        real = each.inputs[0] * kind.quantization.scale[0]
        powers = np.exp(real - real.max(axis=-1, keepdims=True) if real.ndim else 0 * real)
        exact = powers / (powers.sum(axis=-1, keepdims=True) if real.ndim else powers)
        assert np.abs(each.reference[0] - np.minimum(256 * exact - 128, 127)).max() <= 1.01
