"""From indices to words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builder.blocks.base import Array, Block, Emitter
from builder.blocks.rules import INTEGERS, only_input
from container.abi import Failure
from container.tensors import ElementType, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError


class Label(Block):
    """The label at each index: index 0 is the first label.

    The output is text in the shape of the input, each element padded with NULs to the bytes of the longest
    label in UTF-8.  An index that is negative or past the last label ends the inference with an error.
    """

    name = "label"
    summary = "the word at each index of a list of labels"
    example = "PROC_BLOCK<U32[1],UTF8[1]> word label --labels=down,go,left,no"
    parameters = (
        Parameter(
            "labels",
            ParameterKind.LIST,
            "the labels: a list, or the lines of a text or resource",
            required=True,
            aliases=("wordlist",),
        ),
    )

    def infer(self, use: BlockUse) -> tuple[TensorType, ...]:
        kind = only_input(
            use, INTEGERS, hint="put `most_confident_indices` or `argmax` before it to get indices"
        )
        if kind.quantization is not None:
            raise TypeRuleError(
                f"takes indices, its input {kind} holds quantised values",
                hint="put `most_confident_indices` or `argmax` before it",
                input=0,
            )
        width = max(len(label) for label in _labels(use))
        return (TensorType(ElementType.UTF8, kind.shape, width=max(width, 1)),)

    def expressions(
        self, emit: Emitter, inputs: Sequence[Any], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Any]:
        from builder import tir
        from builder.operators.base import constant, shape_of

        labels = _labels(use)
        offsets = np.cumsum([0, *map(len, labels)]).astype("int32")
        text = np.frombuffer(b"".join(labels) or b"\0", "uint8")
        shape, width = shape_of(inputs[0]), outputs[0].array_shape[-1]

        def body(x: Any, offsets: Any, text: Any, y: Any) -> None:
            with tir.loops(*shape) as position:
                index = tir.cast("int64", x[position])
                with tir.when(tir.either(index < 0, index >= len(labels))):
                    tir.fail(Failure.INDEX)
                start = tir.Cell("int32", offsets[tir.cast("int32", index)])
                length = tir.Cell("int32", offsets[tir.cast("int32", index) + 1] - start.value)
                with tir.loop(width) as i:
                    tir.store(y, (*position, i), tir.cast("uint8", 0))
                    with tir.when(i < length.value):
                        tir.store(y, (*position, i), text[start.value + i])

        return emit.kernel(body, [inputs[0], constant(offsets), constant(text)], outputs, self.name)

    def reference(
        self, inputs: Sequence[Array], use: BlockUse, outputs: Sequence[TensorType]
    ) -> Sequence[Array]:
        labels, width = _labels(use), outputs[0].array_shape[-1]
        indices = [int(index) for index in inputs[0].reshape(-1)]
        if not all(0 <= index < len(labels) for index in indices):
            raise ValueError("an index is outside of the list of labels")
        text = b"".join(labels[index].ljust(width, b"\0") for index in indices)
        return [np.frombuffer(text, "uint8").reshape(outputs[0].array_shape)]


def _labels(use: BlockUse) -> list[bytes]:
    """The labels in UTF-8.  Raises TypeRuleError."""
    values = use.arguments["labels"]
    texts = [str(label) for label in values] if isinstance(values, tuple) else []
    if not texts:
        raise TypeRuleError("there are no labels", hint="write --labels=one,two,three", argument="labels")
    for text in texts:
        if "\0" in text:
            raise TypeRuleError(f"the label {text!r} has a NUL, which ends a text", argument="labels")
    return [text.encode() for text in texts]
