"""Transposes and reshapes: folded, merged, moved behind the operators that do not care, until they cancel.

Convolutions work channels-last here and channels-first in ONNX, so each brings two transposes; after these
rules those that are left are the ones that a model really asks for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tvm import relax

from builder.operators.base import constant, constant_value, is_constant, shape_of
from builder.passes.rewriting import MOVEMENT, Rewriter, is_call

UNARY = tuple(
    f"relax.{name}"
    for name in (
        *(
            "nn.relu",
            "nn.leakyrelu",
            "nn.gelu",
            "nn.silu",
            "clip",
            "sigmoid",
            "tanh",
            "exp",
            "log",
            "sqrt",
            "rsqrt",
        ),
        *("abs", "negative", "floor", "ceil", "round", "erf", "sin", "cos", "square", "sign", "astype"),
    )
)
BINARY = (
    "rune.add",
    *(f"relax.{name}" for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power")),
)
ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "relax.add": np.add,
    "relax.subtract": np.subtract,
    "relax.multiply": np.multiply,
    "relax.divide": np.divide,
}
RESHAPES = ("relax.reshape", "relax.expand_dims", "relax.squeeze", "relax.flatten", "relax.nn.batch_flatten")


def is_fixed(rewriter: Rewriter, value: Any) -> bool:
    """Whether a value is known when building, maybe in quantised form."""
    dequantized = rewriter.producer(value, "relax.dequantize")
    return is_constant(value) or (dequantized is not None and is_constant(dequantized.args[0]))


def reshape(rewriter: Rewriter, value: Any, shape: Sequence[int]) -> Any:
    return rewriter.emit(relax.op.reshape(value, tuple(shape)))


def permute(rewriter: Rewriter, value: Any, axes: Sequence[int]) -> Any:
    return rewriter.emit(relax.op.permute_dims(value, list(axes)))


def axes_of(call: Any) -> tuple[int, ...]:
    """Axes of a `permute_dims`; none given means reversed."""
    axes = call.attrs.axes
    rank = len(shape_of(call.args[0]))
    return tuple(int(axis) % rank for axis in axes) if axes is not None else tuple(reversed(range(rank)))


def inverse(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(axis) for axis in np.argsort(axes))


def one_kind_of_reshape(rewriter: Rewriter, call: Any) -> Any:
    """All operators that change the shape only are `reshape`; two are one, and one without effect is none."""
    if not is_call(call, *RESHAPES):
        return None
    source, shape = call.args[0], shape_of(call)
    if shape_of(source) == shape:
        return source
    before = rewriter.producer(source, "relax.reshape")
    if before is not None:
        source = before.args[0]
    if shape_of(source) == shape:
        return source
    plain = before is None and call.op.name == "relax.reshape"
    return None if plain else rewriter.emit(relax.op.reshape(source, shape))


def fold_constants(rewriter: Rewriter, call: Any) -> Any:
    """A moved constant is another constant."""
    if not is_call(call, *MOVEMENT) or not is_constant(call.args[0]):
        return None
    values = constant_value(call.args[0])
    if call.op.name == "relax.permute_dims":
        return constant(np.transpose(values, axes_of(call)))
    return constant(np.reshape(values, shape_of(call)))


def merge_transposes(rewriter: Rewriter, call: Any) -> Any:
    """Two transposes are one or none; one that only moves dimensions of size one is a reshape."""
    if not is_call(call, "relax.permute_dims"):
        return None
    source, axes = call.args[0], axes_of(call)
    before = rewriter.producer(source, "relax.permute_dims")
    if before is not None:
        return permute(rewriter, before.args[0], [axes_of(before)[axis] for axis in axes])
    if list(axes) == sorted(axes):
        return source
    shape = shape_of(source)
    moved = [axis for axis in axes if shape[axis] != 1]
    return reshape(rewriter, source, [shape[axis] for axis in axes]) if moved == sorted(moved) else None


def known_shape(rewriter: Rewriter, call: Any) -> Any:
    """Shapes are static, so their numbers are constants."""
    if is_call(call, "relax.shape_of"):
        return relax.ShapeExpr(shape_of(call.args[0]))
    if is_call(call, "relax.shape_to_tensor") and isinstance(call.args[0], relax.ShapeExpr):
        return constant(np.array([int(size) for size in call.args[0].values], "int64"))
    return None


def fold_arithmetic(rewriter: Rewriter, call: Any) -> Any:
    """Of two constants, such as a bias and its factor."""
    if not is_call(call, *ARITHMETIC) or not all(is_constant(argument) for argument in call.args):
        return None
    a, b = (constant_value(argument) for argument in call.args)
    return constant(ARITHMETIC[call.op.name](a, b)) if a.dtype == b.dtype == np.float32 else None


def movement_after_unary(rewriter: Rewriter, call: Any) -> Any:
    if not is_call(call, *UNARY):
        return None
    before = rewriter.producer(call.args[0], *MOVEMENT)
    if before is None:
        return None
    moved = rewriter.emit(_rebuilt(call, [before.args[0], *call.args[1:]], shape_of(before.args[0])))
    if before.op.name == "relax.reshape":
        return reshape(rewriter, moved, shape_of(before))
    return permute(rewriter, moved, axes_of(before))


def reshape_after_binary(rewriter: Rewriter, call: Any) -> Any:
    """op(reshape(a), b) is reshape(op(a, b')) for constants b, if only dimensions of size one come or go."""
    if not is_call(call, *BINARY):
        return None
    for position in (0, 1):
        before, other = rewriter.producer(call.args[position], "relax.reshape"), call.args[1 - position]
        if before is None or not is_fixed(rewriter, other) or shape_of(before) != shape_of(call):
            continue
        shape = _with_other_ones(shape_of(other), shape_of(call), shape_of(before.args[0]))
        if shape is not None:
            arguments = [before.args[0], reshape(rewriter, other, shape)]
            source_shape = shape_of(before.args[0])
            moved = rewriter.emit(_rebuilt(call, arguments[:: 1 if position == 0 else -1], source_shape))
            return reshape(rewriter, moved, shape_of(call))
    return None


def _with_other_ones(shape: Sequence[int], result: Sequence[int], source: Sequence[int]) -> list[int] | None:
    """The shape that broadcasts to `source` as `shape` to `result`; None unless these differ by ones only."""
    if [size for size in result if size != 1] != [size for size in source if size != 1]:
        return None
    full = (1,) * (len(result) - len(shape)) + tuple(shape)
    sizes = iter([own for own, size in zip(full, result, strict=True) if size != 1])
    return [1 if size == 1 else next(sizes) for size in source]


def transpose_after_binary(rewriter: Rewriter, call: Any) -> Any:
    """op(transpose(a), b) is transpose(op(a, b')), where b is transposed alike, or a constant that can be."""
    if not is_call(call, *BINARY):
        return None
    transposes = [rewriter.producer(argument, "relax.permute_dims") for argument in call.args]
    axes = next((axes_of(before) for before in transposes if before is not None), None)
    rank = len(shape_of(call))
    if axes is None or len(axes) != rank:
        return None
    arguments = [
        _against(rewriter, argument, before, axes)
        for argument, before in zip(call.args, transposes, strict=True)
    ]
    if any(argument is None for argument in arguments):
        return None
    shape = shape_of(call)
    before_shape = [shape[axis] for axis in inverse(axes)]
    return permute(rewriter, rewriter.emit(_rebuilt(call, arguments, before_shape)), axes)


def _against(rewriter: Rewriter, argument: Any, before: Any, axes: tuple[int, ...]) -> Any:
    """The argument as before the transposition by `axes`; None where that would take work when running."""
    if before is not None and axes_of(before) == axes:
        return before.args[0]
    shape = shape_of(argument)
    if math.prod(shape) == 1:
        return argument
    if not is_fixed(rewriter, argument):
        return None
    full = (1,) * (len(axes) - len(shape)) + shape
    return permute(rewriter, reshape(rewriter, argument, full), inverse(axes))


def transpose_after_concatenation(rewriter: Rewriter, call: Any) -> Any:
    if not is_call(call, "relax.concat") or not isinstance(call.args[0], relax.Tuple):
        return None
    transposes = [rewriter.producer(field, "relax.permute_dims") for field in call.args[0].fields]
    if any(before is None or axes_of(before) != axes_of(transposes[0]) for before in transposes):
        return None
    axes = axes_of(transposes[0])
    axis = axes[int(call.attrs.axis) % len(axes)]
    joined = rewriter.emit(relax.op.concat([before.args[0] for before in transposes], axis))
    return permute(rewriter, joined, axes)


def transpose_weights_instead(rewriter: Rewriter, call: Any) -> Any:
    """A fully connected layer on a flattened transpose: its weights are put in the other order once, here."""
    if not is_call(call, "rune.fully_connected") or not is_constant(call.args[1]):
        return None
    flat = rewriter.producer(call.args[0], "relax.reshape")
    before = rewriter.producer(flat.args[0], "relax.permute_dims") if flat is not None else None
    if before is None or axes_of(before)[0] != 0:
        return None
    shape, weights = shape_of(before), constant_value(call.args[1])
    if len(weights) == 0 or math.prod(shape[1:]) != weights.shape[1]:
        return None
    back = (0, *inverse(axes_of(before))[1:])
    moved = weights.reshape(len(weights), *shape[1:]).transpose(back).reshape(weights.shape)
    x = reshape(rewriter, before.args[0], shape_of(call.args[0]))
    return rewriter.emit(_rebuilt(call, [x, constant(moved), *call.args[2:]], shape_of(call)))


MOVEMENT_RULES = (
    one_kind_of_reshape,
    fold_constants,
    known_shape,
    fold_arithmetic,
    merge_transposes,
    movement_after_unary,
    reshape_after_binary,
    transpose_after_binary,
    transpose_after_concatenation,
    transpose_weights_instead,
)


def _rebuilt(call: Any, arguments: Sequence[Any], shape: Sequence[int]) -> Any:
    """The call with other arguments, and a result of another shape."""
    result = relax.TensorType(tuple(shape), str(call.ty.dtype))
    return relax.Call(call.op, list(arguments), call.attrs, call.ty_args, ret_ty=result)
