"""ONNX operators that TVM's frontend lacks, or reads in part only, composed of Relax's.

Source: the operators of these names in the ONNX specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from tvm import relax

from builder.importers.onnx_recurrent import (
    Bind,
    gated_recurrent_unit,
    long_short_term_memory,
    plain_recurrent,
)
from builder.operators import by_name
from builder.operators.base import (
    Unsupported,
    constant_value,
    dtype_of,
    is_constant,
    normalised_axis,
    shape_of,
)

Composer: TypeAlias = Callable[[Bind, Sequence[Any], Mapping[str, Any]], Any]
"""Takes `Bind`, the node's inputs (None where one is left out) and its attributes; returns the expression of
its outputs.  Raises Unsupported."""


def layer_normalization(bind: Bind, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
    """All of the outputs: the result, the mean, and the reciprocal of the standard deviation."""
    x, scale, bias = (*inputs, None)[:3]
    if dtype_of(x) != "float32":
        raise Unsupported(f"its input is {dtype_of(x)}; supported: float32")
    rank = len(shape_of(x))
    axes = list(range(normalised_axis(int(attrs.get("axis", -1)), rank), rank))
    mean = bind(relax.op.mean(x, axes, keepdims=True))
    centred = bind(relax.op.subtract(x, mean))
    variance = bind(relax.op.mean(bind(relax.op.multiply(centred, centred)), axes, keepdims=True))
    epsilon = relax.const(float(attrs.get("epsilon", 1e-5)), "float32")
    reciprocal = bind(relax.op.rsqrt(bind(relax.op.add(variance, epsilon))))
    result = bind(relax.op.multiply(bind(relax.op.multiply(centred, reciprocal)), scale))
    if bias is not None:
        result = bind(relax.op.add(result, bias))
    return relax.Tuple([result, mean, reciprocal])


def power(bind: Bind, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
    """The result has the dtype of the base.

    Integers to integers are exact, modulo their range.  To a float they are computed in float64 and cut off
    towards zero.
    """
    base, exponent = inputs
    if all(dtype_of(value) in ("int32", "int64") for value in inputs):
        shape = np.broadcast_shapes(shape_of(base), shape_of(exponent))
        if dtype_of(exponent) != dtype_of(base):
            exponent = bind(relax.op.astype(exponent, dtype_of(base)))
        return by_name()["rune.power"].call([base, exponent], {}, shape, dtype_of(base))
    common = "float32" if dtype_of(base) == "float32" else "float64"
    operands = [v if dtype_of(v) == common else bind(relax.op.astype(v, common)) for v in inputs]
    result = relax.op.power(*operands)
    return result if dtype_of(base) == common else relax.op.astype(bind(result), dtype_of(base))


def top_k(bind: Bind, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
    x = inputs[0]
    count = _integer(inputs[1], "k") if len(inputs) > 1 else int(attrs.get("k", 1))
    shape = list(shape_of(x))
    axis = normalised_axis(int(attrs.get("axis", -1)), len(shape))
    if not 1 <= count <= shape[axis]:
        raise Unsupported(f"k is {count}; 1 to {shape[axis]}, the elements along axis {axis}, are supported")
    shape[axis] = count
    attributes = {"axis": axis, "largest": int(attrs.get("largest", 1))}
    results = [(shape, dtype_of(x)), (shape, "int64")]
    return by_name()["rune.top_k"].call_tuple([x], attributes, results)


def _integer(value: Any, name: str) -> int:
    if not is_constant(value) or constant_value(value).size != 1:
        raise Unsupported(f"{name} is computed when running; a constant is expected")
    return int(constant_value(value).reshape(()))


def is_needed(operator: str, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> bool:
    """Whether TVM's frontend does not read this use of an operator in `COMPOSED` as well, or better."""
    if operator == "LayerNormalization":
        return int(attrs["tvm_custom"]["num_outputs"]) > 1
    if operator == "Pow":
        dtypes = {dtype_of(value) for value in inputs}
        return len(dtypes) > 1 or not dtypes <= {"float32", "float64"}
    return True


COMPOSED: Mapping[str, Composer] = {
    "GRU": gated_recurrent_unit,
    "LSTM": long_short_term_memory,
    "LayerNormalization": layer_normalization,
    "Pow": power,
    "RNN": plain_recurrent,
    "TopK": top_k,
}
