"""A small catalog of proc blocks and a reader of models, in place of the builder's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from container.errors import CompileError
from container.tensors import ElementType, Quantization, TensorType
from runefile.signatures import (
    BlockSignature,
    BlockUse,
    ModelPort,
    ModelSignature,
    Parameter,
    ParameterKind,
    TypeRuleError,
)

Rule = Callable[[BlockUse], tuple[TensorType, ...]]


@dataclass(frozen=True)
class FakeBlock:
    name: str
    rule: Rule
    parameters: tuple[Parameter, ...] = ()
    summary: str = "a fake"

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        return self.rule(use)


def tensor(
    element: str, *shape: int, scale: float | None = None, zero_point: int = 0, width: int | None = None
) -> TensorType:
    quantization = None if scale is None else Quantization((scale,), (zero_point,))
    return TensorType(ElementType(element), shape, quantization, width)


def _same(use: BlockUse) -> tuple[TensorType, ...]:
    return use.inputs


def _float(use: BlockUse) -> tuple[TensorType, ...]:
    if not use.inputs[0].element.is_integer:
        raise TypeRuleError("takes integers", input=0, hint="it is the way from pixels to floats")
    return (TensorType(ElementType.F32, use.inputs[0].shape),)


def _indices(use: BlockUse) -> tuple[TensorType, ...]:
    count = use.arguments["count"]
    assert isinstance(count, int)
    if count > use.inputs[0].count:
        raise TypeRuleError(f"count is {count}, but there are only {use.inputs[0].count}", argument="count")
    return (tensor("u32", count),)


def _label(use: BlockUse) -> tuple[TensorType, ...]:
    labels = use.arguments["labels"]
    assert isinstance(labels, tuple)
    return (tensor("utf8", *use.inputs[0].shape, width=max(len(str(label)) for label in labels)),)


def _quantize(use: BlockUse) -> tuple[TensorType, ...]:
    if use.consumer is None:
        raise TypeRuleError("nothing says how to quantize")
    return (TensorType(use.consumer.element, use.inputs[0].shape, use.consumer.quantization),)


def _dequantize(use: BlockUse) -> tuple[TensorType, ...]:
    if use.inputs[0].quantization is None:
        raise TypeRuleError("the input carries no scale", input=0)
    return (TensorType(ElementType.F32, use.inputs[0].shape),)


def _broken(use: BlockUse) -> tuple[TensorType, ...]:
    raise ZeroDivisionError("division by zero")


def _typed(*outputs: TensorType) -> Rule:
    return lambda use: outputs


_LABELS = Parameter("labels", ParameterKind.LIST, "the words", required=True, aliases=("wordlist",))
_COUNT = Parameter("count", ParameterKind.INTEGER, "how many", default=1)
_MODULUS = Parameter("modulus", ParameterKind.NUMBER, "the divisor", required=True)
_EVERY_KIND = tuple(Parameter(kind.name.lower(), kind, "any value") for kind in ParameterKind)

_BUILT_IN = (
    FakeBlock("modulo", _same, (_MODULUS,)),
    FakeBlock("normalize", _same),
    FakeBlock("image-normalization", _float),
    FakeBlock("most_confident_indices", _indices, (_COUNT,)),
    FakeBlock("label", _label, (_LABELS,)),
    FakeBlock("quantize", _quantize),
    FakeBlock("dequantize", _dequantize),
    FakeBlock("broken", _broken),
    FakeBlock("every_kind", _same, _EVERY_KIND),
)
SIGNALS = (
    FakeBlock("fft", _typed(tensor("u32", 1, 1960))),
    FakeBlock("noise_filtering", _typed(tensor("i8", 1, 1960))),
)
"""Blocks that the corpus uses, but that a catalog need not have."""


class FakeCatalog:
    """Built-in blocks by name; an own block is any file or folder that exists, and passes its inputs on."""

    def __init__(self, *more: FakeBlock) -> None:
        self._blocks = {block.name.replace("-", "_"): block for block in (*_BUILT_IN, *more)}

    def names(self) -> Sequence[str]:
        return tuple(block.name for block in self._blocks.values())

    def find(self, name: str) -> BlockSignature | None:
        return self._blocks.get(name.replace("-", "_"))

    def load(self, path: Path) -> BlockSignature:
        if not path.exists():
            raise FileNotFoundError(path)
        if path.is_file() and path.read_text() == "broken":
            raise CompileError(f"{path.name} is no proc block", hint="it needs a function `build`")
        return FakeBlock(path.name, _same)


def _model(inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> ModelSignature:
    return ModelSignature(
        tuple(ModelPort(f"in{number}", port) for number, port in enumerate(inputs)),
        tuple(ModelPort(f"out{number}", port) for number, port in enumerate(outputs)),
        "tensorflow-lite",
    )


# What the files of the same names beside the corpus say of themselves.
MODELS = {
    b"sine": _model([tensor("f32", 1, 1)], [tensor("f32", 1, 1)]),
    b"gesture": _model([tensor("f32", 1, 128, 3, 1)], [tensor("f32", 1, 4)]),
    b"microspeech": _model(
        [tensor("i8", 1, 1960, scale=0.1, zero_point=-128)],
        [tensor("i8", 1, 6, scale=1 / 256, zero_point=-128)],
    ),
    b"person": _model(
        [tensor("u8", 1, 96, 96, 1, scale=1 / 256, zero_point=0)],
        [tensor("u8", 1, 1, 1, 3, scale=1 / 256, zero_point=0)],
    ),
    b"style_predict": _model([tensor("f32", 1, 256, 256, 3)], [tensor("f32", 1, 1, 1, 100)]),
    b"style_transform": _model(
        [tensor("f32", 1, 384, 384, 3), tensor("f32", 1, 1, 1, 100)], [tensor("f32", 1, 384, 384, 3)]
    ),
    b"detector": _model([tensor("f32", 1, 4)], [tensor("f32", 1, 8), tensor("f32", 1, 2)]),
}


def read_model(data: bytes, file: str, format: str | None, signature: str | None = None) -> ModelSignature:
    """A model file of the tests holds the name of one of `MODELS`."""
    if data not in MODELS:
        raise CompileError(f"{file} is not a model", hint="it is truncated")
    return MODELS[data]
