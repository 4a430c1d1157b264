"""What type rules refuse, and how they teach: kept word by word in a golden file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from builder.catalog import CATALOG
from container.tensors import Quantization, TensorType
from runefile.signatures import TypeRuleError
from tests.builder.blocks.cases import infer, tensor
from tests.snapshots import assert_snapshot

QUANTIZED = tensor("i8", 4, scale=0.1, zero_point=3)
TEXT = tensor("utf8", 1, width=8)
PER_AXIS = TensorType(QUANTIZED.element, (4,), Quantization((0.1, 0.2, 0.3, 0.4), (0, 0, 0, 0), 0))


def floats(*shape: int) -> TensorType:
    return tensor("f32", *shape)


USES: list[tuple[str, tuple[TensorType, ...], dict[str, Any]]] = [
    ("modulo", (floats(4),), {"modulus": 0}),
    ("modulo", (floats(4),), {"modulus": 1e-50}),
    ("modulo", (floats(4),), {"modulus": 1e39}),
    ("modulo", (floats(4),), {"modulus": float("nan")}),
    ("modulo", (tensor("u8", 4),), {"modulus": 2.5}),
    ("modulo", (tensor("i8", 4),), {"modulus": 360}),
    ("modulo", (QUANTIZED,), {"modulus": 5}),
    ("modulo", (TEXT,), {"modulus": 5}),
    ("normalize", (floats(4), floats(4)), {}),
    ("normalize", (), {}),
    ("image-normalization", (floats(96, 96),), {}),
    ("image-normalization", (tensor("u8", 4, scale=0.1),), {}),
    ("audio_float_conversion", (tensor("u8", 4),), {}),
    ("audio_float_conversion", (tensor("i16", 4),), {"full_scale": 0.5}),
    ("most_confident_indices", (floats(1, 4),), {"count": 5}),
    ("most_confident_indices", (floats(1, 4),), {"count": 0}),
    ("most_confident_indices", (PER_AXIS,), {}),
    ("most_confident_indices", (TEXT,), {}),
    ("label", (floats(4),), {"labels": ("a",)}),
    ("label", (QUANTIZED,), {"labels": ("a",)}),
    ("label", (tensor("u32", 1),), {"labels": ()}),
    ("label", (tensor("u32", 1),), {"labels": ("a\0b",)}),
    ("argmax", (floats(2, 3),), {"axis": 2}),
    ("argmax", (floats(),), {"axis": 0}),
    ("softmax", (tensor("f64", 4),), {}),
    ("softmax", (tensor("i8", 4),), {}),
    ("binary_classification", (floats(4),), {"threshold": 1e39}),
    ("binary_classification", (TEXT,), {}),
    ("parse", (tensor("u8", 4),), {}),
    ("utf8_decode", (tensor("i8", 4),), {}),
    ("segment_output", (floats(4),), {}),
    ("segment_output", (floats(4, 4),), {"axis": -3}),
    ("quantize", (floats(4),), {}),
    ("quantize", (floats(4),), {"zero_point": 4}),
    ("quantize", (floats(4),), {"scale": -1}),
    ("quantize", (floats(4),), {"scale": 0.1, "zero_point": 200}),
    ("quantize", (tensor("f64", 4),), {"scale": 0.1}),
    ("quantize", (floats(4),), {"consumer": PER_AXIS}),
    ("quantize", (tensor("i32", 4, scale=0.1),), {"scale": 0.1}),
    ("dequantize", (tensor("i8", 4),), {}),
    ("dequantize", (floats(4),), {}),
    ("dequantize", (PER_AXIS,), {}),
    ("dequantize", (tensor("i32", 4),), {"scale": 0.1, "zero_point": 5}),
    ("reshape", (floats(4),), {}),
    ("reshape", (floats(4),), {"shape": (3,)}),
    ("reshape", (floats(4),), {"shape": (-1, 3)}),
    ("reshape", (floats(4),), {"shape": (-1, -1)}),
    ("reshape", (floats(4),), {"shape": (0, 4)}),
    ("reshape", (floats(4),), {"declared": (floats(2, 3),)}),
    ("cast", (floats(4),), {}),
    ("cast", (QUANTIZED,), {"type": "f32"}),
    ("cast", (TEXT,), {"type": "f32"}),
    ("transpose", (floats(2, 3),), {"axes": (0, 0)}),
    ("transpose", (floats(2, 3),), {"axes": (0,)}),
    ("clip", (floats(4),), {}),
    ("clip", (floats(4),), {"low": 2, "high": 1}),
    ("clip", (tensor("u8", 4),), {"low": 0.2, "high": 0.8}),
    ("clip", (tensor("u8", 4),), {"high": -1}),
    ("clip", (floats(4),), {"high": 1e39}),
    ("scale", (QUANTIZED,), {"factor": 2}),
    ("scale", (floats(4),), {"factor": float("inf")}),
]


def refusal(name: str, inputs: tuple[TensorType, ...], rest: dict[str, Any]) -> TypeRuleError:
    with pytest.raises(TypeRuleError) as caught:
        infer(name, *inputs, **rest)
    return caught.value


def shown(value: object) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else str(value)


def test_refusals() -> None:
    lines = []
    for name, inputs, rest in USES:
        given = ", ".join(f"{key}={shown(value)}" for key, value in rest.items())
        lines.append(f"{name}({', '.join(map(str, inputs))}; {given})")
        error = refusal(name, inputs, rest)
        where = f"argument {error.argument}" if error.argument else f"input {error.input}"
        lines.append(
            f"  {'stage' if error.argument is None and error.input is None else where}: {error.message}"
        )
        if error.hint:
            lines.append(f"  hint: {error.hint}")
    assert_snapshot("builder/block-refusals.txt", "\n".join(lines) + "\n")


def test_every_block_refuses_something() -> None:
    assert sorted({name for name, _, _ in USES}) == CATALOG.names()


@pytest.mark.parametrize("name", ["modulo", "most-confident-indices", "image_normalization"])
def test_dashes_and_underscores_are_the_same(name: str) -> None:
    assert CATALOG.find(name) is not None


Rule = Callable[[], tuple[TensorType, ...]]
TYPES: dict[str, tuple[Rule, tuple[TensorType, ...]]] = {
    "classifiers keep no batch": (
        lambda: infer("most_confident_indices", tensor("i8", 1, 12), count=3),
        (tensor("u32", 3),),
    ),
    "labels have the bytes of the longest": (
        lambda: infer("label", tensor("u32", 2), labels=("é", "abc")),
        (tensor("utf8", 2, width=3),),
    ),
    "labels that are all empty have a byte": (
        lambda: infer("label", tensor("u32", 1), labels=("",)),
        (tensor("utf8", 1, width=1),),
    ),
    "quantize takes all from the model": (
        lambda: infer("quantize", floats(4), consumer=tensor("u8", 1, 4, scale=0.1, zero_point=7)),
        (tensor("u8", 4, scale=0.1, zero_point=7),),
    ),
    "quantize obeys its arguments first": (
        lambda: infer("quantize", floats(4), consumer=QUANTIZED, scale=2, type="i16"),
        (tensor("i16", 4, scale=2.0),),
    ),
    "quantize obeys the declared type before the model": (
        lambda: infer(
            "quantize", floats(4), consumer=tensor("u8", 4, scale=0.1), declared=(tensor("i8", 4),)
        ),
        (tensor("i8", 4, scale=0.1),),
    ),
    "cast keeps what integers stand for": (
        lambda: infer("cast", QUANTIZED, type="i16"),
        (tensor("i16", 4, scale=0.1, zero_point=3),),
    ),
    "softmax gives probabilities": (
        lambda: infer("softmax", QUANTIZED),
        (tensor("i8", 4, scale=1 / 256, zero_point=-128),),
    ),
    "clip keeps what integers stand for": (lambda: infer("clip", QUANTIZED, low=0), (QUANTIZED,)),
    "transpose moves the axis of the scales": (
        lambda: infer("transpose", TensorType(PER_AXIS.element, (4, 3), PER_AXIS.quantization)),
        (TensorType(PER_AXIS.element, (3, 4), Quantization((0.1, 0.2, 0.3, 0.4), (0, 0, 0, 0), 1)),),
    ),
    "one declared segment output is the map": (
        lambda: infer("segment_output", floats(1, 8, 8, 21), declared=(tensor("u32", 8, 8),)),
        (tensor("u32", 1, 8, 8),),
    ),
    "two segment outputs are the map and the set": (
        lambda: infer("segment_output", floats(1, 8, 8, 21), declared=(None, None)),
        (tensor("u32", 1, 8, 8), tensor("u8", 21)),
    ),
    "thresholds give what is declared": (
        lambda: infer("binary_classification", floats(2), declared=(tensor("u8", 2),)),
        (tensor("u8", 2),),
    ),
    "thresholds give U32 else": (lambda: infer("binary_classification", floats(2)), (tensor("u32", 2),)),
}


@pytest.mark.parametrize("name", TYPES)
def test_types(name: str) -> None:
    rule, expected = TYPES[name]
    assert rule() == expected
