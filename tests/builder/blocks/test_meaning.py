"""What each proc block computes, on values checked by hand, in both profiles and in its NumPy reference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from builder.catalog import CATALOG
from container.abi import Profile
from tests.builder.blocks.cases import Case, case, run_cases, tensor
from tests.builder.support import Array

NAN, INF = math.nan, math.inf
F32 = np.float32


def of(dtype: str, *values: Any) -> Array:
    return np.array(values, dtype)


def text(*values: str) -> Array:
    return np.array(values, object)


HALVES = [tensor("i8", 5, scale=0.5, zero_point=1)]
"""int8 that stand for (q - 1) / 2."""

CASES: Mapping[str, tuple[Case, Sequence[Any]]] = {
    "modulo of floats is never negative": (
        case("modulo", of("float32", -90, 0, 359.5, 360, 725), modulus=360),
        [[270, 0, 359.5, 0, 5]],
    ),
    "modulo never rounds up to the modulus": (
        case("modulo", of("float32", -1e-20, 1e-20), modulus=360),
        [[0, F32(1e-20)]],
    ),
    "modulo of what is no number": (
        case("modulo", of("float64", NAN, INF, -INF), modulus=2),
        [[NAN, NAN, NAN]],
    ),
    "modulo of integers": (case("modulo", of("int8", [-7, 7], [-128, 127]), modulus=3.0), [[[2, 1], [1, 1]]]),
    "modulo of the widest integers": (
        case("modulo", of("int64", -1, 2**63 - 1), modulus=2**63 - 1),
        [[2**63 - 2, 0]],
    ),
    "modulo of unsigned integers": (
        case("modulo", of("uint64", 2**64 - 1, 5), modulus=2**63),
        [[2**63 - 1, 5]],
    ),
    "normalize floats": (case("normalize", of("float32", [-1, 0], [1, 3])), [[[0, 0.25], [0.5, 1]]]),
    "normalize passes on what is constant": (case("normalize", of("float32", 7, 7)), [[7, 7]]),
    "normalize integers, however far apart": (case("normalize", of("int8", -128, 127, 127)), [[0, 1, 1]]),
    "normalize 32 bits": (case("normalize", of("int32", -(2**31), 0, 2**31 - 1)), [[0, 0.5, 1]]),
    "normalize 64 bits": (case("normalize", of("int64", -(2**63), 0, 2**63 - 1)), [[0, 0.5, 1]]),
    "normalize unsigned 64 bits": (case("normalize", of("uint64", 0, 2**63, 2**64 - 1)), [[0, 0.5, 1]]),
    "normalize around NaN": (case("normalize", of("float32", NAN, 2, 4)), [[NAN, 0, 1]]),
    "normalize nothing but NaN": (case("normalize", of("float32", NAN, NAN)), [[NAN, NAN]]),
    "pixels": (case("image-normalization", of("uint8", 0, 51, 255)), [[0, F32(0.2), 1]]),
    "signed pixels": (case("image-normalization", of("int8", -128, 127)), [[0, 1]]),
    "pixels of 16 bits": (case("image-normalization", of("uint16", 0, 13107, 65535)), [[0, F32(0.2), 1]]),
    "sound": (case("audio_float_conversion", of("int16", 32767, 0, -32767, -32768)), [[1, 0, -1, -1]]),
    "sound by another full scale": (
        case("audio_float_conversion", of("int16", 50, -200, 100), full_scale=100),
        [[0.5, -1, 1]],
    ),
    "best first, ties by index": (
        case("most_confident_indices", of("int8", [-128, 3, 9, 3, 9]), count=4),
        [[2, 4, 1, 3]],
    ),
    "all negative": (case("most_confident_indices", of("int8", -100, -1, -50)), [[1]]),
    "NaN is least": (
        case("most_confident_indices", of("float32", NAN, -INF, NAN, INF, 0), count=5),
        [[3, 4, 1, 0, 2]],
    ),
    "unsigned above the signed range": (
        case("most_confident_indices", of("uint64", 1, 2**63, 2**63 - 1)),
        [[1]],
    ),
    "labels of bytes, not of characters": (
        case("label", of("uint32", [2, 0], [1, 1]), labels=("naïve", "", "日本語")),
        [[["日本語", "naïve"], ["", ""]]],
    ),
    "labels by another type of index": (case("label", of("int64", 1), labels=("no", "yes")), [["yes"]]),
    "numbers as labels": (case("label", of("uint8", 1), labels=(0, 7)), [["7"]]),
    "argmax of everything": (case("argmax", of("float32", [-3, -1], [-2, -5])), [[1]]),
    "argmax takes the first of equals": (case("argmax", of("int16", 5, 9, 9)), [[1]]),
    "argmax along the last axis": (case("argmax", of("uint8", [1, 2, 2], [9, 1, 2]), axis=-1), [[1, 0]]),
    "argmax along the first axis": (case("argmax", of("uint8", [1, 2, 2], [9, 1, 2]), axis=0), [[1, 0, 0]]),
    "argmax sees no NaN": (case("argmax", of("float64", NAN, -INF)), [[1]]),
    "softmax of equals": (case("softmax", of("float32", [3, 3], [1000, -1000])), [[[0.5, 0.5], [1, 0]]]),
    "softmax with NaN": (case("softmax", of("float32", [NAN, 0], [0, 0])), [[[NAN, NAN], [0.5, 0.5]]]),
    "above the threshold": (
        case("binary_classification", of("float32", 0.5, 0.51, NAN, INF)),
        [[0, 1, 0, 1]],
    ),
    "above a threshold between integers": (
        case("binary_classification", of("int8", 2, 3, -128), threshold=2.5),
        [[0, 1, 0]],
    ),
    "above a threshold that no integer reaches": (
        case("binary_classification", of("uint8", 255, 0), threshold=255),
        [[0, 0]],
    ),
    "above a threshold that every integer reaches": (
        case("binary_classification", of("uint8", 0, 1), threshold=-1, declared=[tensor("u8", 2)]),
        [[1, 1]],
    ),
    "above a threshold in the unit of quantised integers": (
        case("binary_classification", of("int8", 0, 1, 2, 3, 4), types=HALVES, threshold=0.5),
        [[0, 0, 0, 1, 1]],
    ),
    "parse integers": (case("parse", text("127", " -128 ", "+0"), type="i8"), [[127, -128, 0]]),
    "parse floats": (
        case("parse", text("0.1", "-1e3", ".5", "inf", "nan")),
        [[F32(0.1), -1000, 0.5, INF, NAN]],
    ),
    "parse the words of all texts": (
        case("parse", text("5\n6  7", "", "\t8"), declared=[tensor("u8", 2, 2)]),
        [[[5, 6], [7, 8]]],
    ),
    "parse as declared": (case("parse", text("0.1"), declared=[tensor("f64", 1)]), [[0.1]]),
    "decode up to the first NUL": (case("utf8_decode", of("uint8", *b"abc\0de")), [["abc"]]),
    "decode rows": (case("utf8_decode", of("uint8", [*"é".encode()], [0, 65])), [["é", ""]]),
    "segments, and the classes in them": (
        case(
            "segment_output",
            of("float32", [[1, 9, 0], [9, 1, 0]], [[1, 1, 0], [0, 0, -1]]),
            declared=[None, None],
        ),
        [[[1, 0], [0, 0]], [1, 1, 0]],
    ),
    "segments alone": (case("segment_output", of("int8", [3, 5, 5], [9, 1, 9])), [[1, 0]]),
    "segments of planes": (
        case("segment_output", of("uint8", [[1, 9]], [[2, 0]]), axis=0, declared=()),
        [[[1, 0]], [1, 1]],
    ),
    "quantize away from zero": (
        case("quantize", of("float32", 0.24, 0.25, -0.25, NAN, INF, -INF), scale=0.5, zero_point=3),
        [[3, 4, 2, 3, 127, -128]],
    ),
    "quantize for the model behind it": (
        case("quantize", of("float32", 1, 2), consumer=tensor("u8", 1, 2, scale=0.25, zero_point=10)),
        [[14, 18]],
    ),
    "quantize integers as the numbers they are": (
        case("quantize", of("uint8", 1, 2, 255), scale=2, type="i16"),
        [[1, 1, 128]],
    ),
    "quantize from another scale": (
        case("quantize", of("int8", 1, 2, 3, -127, 127), types=HALVES, scale=0.25, zero_point=0, type="u8"),
        [[0, 2, 4, 0, 252]],
    ),
    "dequantize": (
        case("dequantize", of("int8", 1, 2, 3, -128, 127), types=HALVES),
        [[0, 0.5, 1, -64.5, 63]],
    ),
    "dequantize by the arguments": (
        case("dequantize", of("uint16", 0, 65535), scale=2, zero_point=5),
        [[-10, 131060]],
    ),
    "reshape": (
        case("reshape", of("uint8", [1, 2, 3], [4, 5, 6]), shape=(3, -1)),
        [[[1, 2], [3, 4], [5, 6]]],
    ),
    "reshape as declared": (
        case("reshape", of("float32", [1, 2]), declared=[tensor("f32", 2, 1)]),
        [[[1], [2]]],
    ),
    "reshape text": (case("reshape", text("a", "bc"), shape=(2, 1)), [[["a"], ["bc"]]]),
    "cast cuts off and saturates": (
        case("cast", of("float32", -1.9, 1.9, 300, -300, NAN, INF), type="i8"),
        [[-1, 1, 127, -128, 0, 127]],
    ),
    "cast to unsigned": (
        case("cast", of("float64", -0.5, 2.0**63, 1e30), type="u64"),
        [[0, 2**63, 2**64 - 1]],
    ),
    "cast between integers": (
        case("cast", of("int16", -1, 300, 7), declared=[tensor("u8", 3)]),
        [[0, 255, 7]],
    ),
    "cast to the nearest float": (
        case("cast", of("int32", 16777217, 2**31 - 1), type="f32"),
        [[16777216, 2.0**31]],
    ),
    "transpose": (case("transpose", of("int8", [1, 2, 3], [4, 5, 6])), [[[1, 4], [2, 5], [3, 6]]]),
    "transpose an image to planes": (
        case("transpose", of("uint8", [[1, 2], [3, 4], [5, 6]]), axes=(2, 0, -2)),
        [[[[1, 3, 5]], [[2, 4, 6]]]],
    ),
    "transpose text": (case("transpose", np.array([["a", "bc"]], object)), [[["a"], ["bc"]]]),
    "clip floats": (case("clip", of("float32", -2, 0.5, 2, NAN), low=-1, high=1), [[-1, 0.5, 1, NAN]]),
    "clip one side": (case("clip", of("float64", -2, INF), low=0), [[0, INF]]),
    "clip integers within the bounds": (case("clip", of("int8", -9, 0, 9), low=-1.5, high=2.5), [[-1, 0, 2]]),
    "clip in the unit of quantised integers": (
        case("clip", of("int8", -9, 0, 1, 2, 9), types=HALVES, low=-0.6, high=0.6),
        [[0, 0, 1, 2, 2]],
    ),
    "scale floats": (case("scale", of("float32", 1, -2, NAN), factor=10, offset=0.5), [[10.5, -19.5, NAN]]),
    "scale by nothing keeps NaN": (case("scale", of("float32", 5, NAN, INF), factor=0), [[0, NAN, NAN]]),
    "scale integers": (case("scale", of("uint8", 0, 255), factor=2, offset=-1), [[-1, 509]]),
    "scale doubles": (case("scale", of("float64", 0.1), factor=3), [[0.1 * 3]]),
}

SCALARS: Mapping[str, tuple[Case, Sequence[Any]]] = {
    "scalars": (case("modulo", np.array(-1, "int8"), modulus=3), [2]),
    "scalar index": (case("label", np.array(1, "int8"), labels=("a", "b")), ["b"]),
    "best of one": (case("most_confident_indices", np.array(1.5, "float32")), [[0]]),
    "transpose a scalar text": (case("transpose", np.array("ab", object)), ["ab"]),
    "utf8_decode a byte": (case("utf8_decode", np.array(65, "uint8")), [["A"]]),
    "softmax of one": (case("softmax", np.array(65, "float32")), [1]),
    "normalize one": (case("normalize", np.array(65, "float32")), [65]),
    "quantize one": (case("quantize", np.array(65, "float32"), scale=1), [65]),
    "dequantize one": (case("dequantize", np.array(65, "int8"), scale=1), [65]),
    "reshape one": (case("reshape", np.array(65, "int8"), shape=(1, 1)), [[[65]]]),
    "cast one": (case("cast", np.array(65, "int8"), type="f32"), [65]),
    "argmax of one": (case("argmax", np.array(65, "int8")), [[0]]),
    "one number of text": (case("parse", np.array("42", object), type="u8"), [42]),
}
"""Tensors of no dimension, as some models give them."""

ALL = {**CASES, **SCALARS}
Results = Mapping[Profile, Mapping[str, Sequence[Array]]]


@pytest.fixture(scope="module")
def results() -> Results:
    """What both profiles of one container compute."""
    found = run_cases([each for each, _ in ALL.values()])
    return {profile: dict(zip(ALL, outputs, strict=True)) for profile, outputs in found.items()}


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("name", ALL)
def test_result(name: str, profile: Profile, results: Results) -> None:
    _, expected = ALL[name]
    for found, wanted in zip(results[profile][name], expected, strict=True):
        np.testing.assert_array_equal(found, np.array(wanted, found.dtype))


@pytest.mark.parametrize("name", ALL)
def test_reference(name: str) -> None:
    each, expected = ALL[name]
    for found, wanted in zip(each.reference, expected, strict=True):
        np.testing.assert_array_equal(found, np.array(wanted, found.dtype))


def test_every_block_is_here() -> None:
    assert sorted({each.block.name for each, _ in CASES.values()}) == CATALOG.names()
