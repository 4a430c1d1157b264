"""LOG_SOFTMAX and L2_NORMALIZATION against TensorFlow Lite Micro."""

from __future__ import annotations

from hypothesis import strategies as st

from container.tensors import Quantization
from tests.builder.operators.elementwise import Case, Operand, assert_equal, quantizations

RESULTS = {
    "LOG_SOFTMAX": Quantization((1 / 16,), (127,)),
    "L2_NORMALIZATION": Quantization((1 / 128,), (0,)),
}


@st.composite
def normalization(draw: st.DrawFn, builtin: str, dtype: str) -> Case:
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 20)))
    scale = draw(st.sampled_from([0.0078125, 0.03, 0.0625, 0.123, 0.25, 0.7]))
    x = draw(quantizations(dtype, st.just(scale)))
    result = RESULTS[builtin] if dtype == "int8" else None
    return Case(builtin, (Operand(shape, dtype, x),), Operand(shape, dtype, result))


def test_rows_are_normalised() -> None:
    kinds = [(builtin, dtype) for builtin in RESULTS for dtype in ("int8", "int8", "int8", "float32")]
    assert_equal(st.tuples(*(normalization(builtin, dtype) for builtin, dtype in kinds)))
