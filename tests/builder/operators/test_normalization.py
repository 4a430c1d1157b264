"""LOG_SOFTMAX and L2_NORMALIZATION against TensorFlow Lite Micro."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from container.tensors import Quantization
from tests.builder.operators.elementwise import Case, Operand, assert_equal, quantized

RESULTS = {
    "LOG_SOFTMAX": Quantization((1 / 16,), (127,)),
    "L2_NORMALIZATION": Quantization((1 / 128,), (0,)),
}


def normalization(random: Random, builtin: str, dtype: str) -> Case:
    shape = (random.randint(1, 4), random.randint(1, 20))
    if dtype == "float32":
        return Case(builtin, (Operand(shape, dtype),), Operand(shape, dtype))
    x = Operand(shape, dtype, quantized(random, dtype, 0.005, 1.0))
    return Case(builtin, (x,), Operand(shape, dtype, RESULTS[builtin]))


def normalizations(random: Random) -> Sequence[Case]:
    kinds = [(builtin, dtype) for builtin in RESULTS for dtype in ("int8", "int8", "int8", "int8", "float32")]
    return [normalization(random, *kind) for kind in kinds]


def test_rows_are_normalised() -> None:
    assert_equal(normalizations)
