"""Operators that change nothing.

A chain of (de)quantisations of a small integer type is tried on every value it can meet: where each comes
back as it was, the chain is an identity, whatever its scales.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from builder.fixed_point import INTEGER_RANGE
from builder.operators import by_name
from builder.operators.base import dtype_of, shape_of
from builder.passes.rewriting import Rewriter, is_call, rewrite

QUANTIZATIONS = ("rune.quantize", "rune.dequantize")
SMALL = ("int8", "uint8", "int16")
"""Dtypes with few enough values to try all."""
POOLS = ("rune.max_pool2d", "rune.average_pool2d")
CLAMPING = ("rune.clamp", "rune.conv2d", "rune.depthwise_conv2d", "rune.fully_connected", *POOLS)
"""Operators whose attributes say between which integers their results lie."""
LONGEST_CHAIN = 4


def remove_identities(module: Any) -> Any:
    """The module without operators whose result is what they take."""
    return rewrite(module, (same_shape, view_of_view, identical_quantization, window_of_one, needless_clamp))


def same_shape(rewriter: Rewriter, call: Any) -> Any:
    """A reshape to the shape that is there."""
    if is_call(call, "relax.reshape") and shape_of(call) == shape_of(call.args[0]):
        return call.args[0]
    return None


def view_of_view(rewriter: Rewriter, call: Any) -> Any:
    """Of two reshapes the last one counts."""
    inner = rewriter.producer(call.args[0], "relax.reshape") if is_call(call, "relax.reshape") else None
    if inner is None:
        return None
    return rewriter.emit(relax.op.reshape(inner.args[0], shape_of(call)))


def identical_quantization(rewriter: Rewriter, call: Any) -> Any:
    """A quantisation to the same parameters, or one that an earlier one is undone by."""
    if not is_call(call, *QUANTIZATIONS) or dtype_of(call) not in SMALL:
        return None
    low, high = INTEGER_RANGE[dtype_of(call)]
    every = np.arange(low, high + 1).astype(dtype_of(call))
    chain: list[Any] = []
    found = call
    while found is not None and len(chain) < LONGEST_CHAIN:
        chain.insert(0, found)
        source = found.args[0]
        if dtype_of(source) == dtype_of(call) and _is_identity(chain, every):
            return source
        found = rewriter.producer(source, *QUANTIZATIONS)
    return None


def _is_identity(chain: list[Any], every: np.ndarray[Any, Any]) -> bool:
    values = every
    for call in chain:
        result = by_name()[call.op.name].evaluate(call, [values])
        if result is None:
            return False
        values = result
    return bool(np.array_equal(values, every))


def needless_clamp(rewriter: Rewriter, call: Any) -> Any:
    """Bounds that what is bounded keeps by itself: by its dtype, or because it was clamped before."""
    if not is_call(call, "rune.clamp") or dtype_of(call) not in SMALL:
        return None
    low, high = INTEGER_RANGE[dtype_of(call)]
    source = rewriter.producer(call.args[0], *CLAMPING)
    if source is not None:
        low, high = int(source.attrs["low"]), int(source.attrs["high"])
    is_needless = int(call.attrs["low"]) <= low and high <= int(call.attrs["high"])
    return call.args[0] if is_needless else None


def window_of_one(rewriter: Rewriter, call: Any) -> Any:
    """Pooling of single integers, unless it clamps them."""
    if not is_call(call, *POOLS) or dtype_of(call) not in SMALL:
        return None
    names = ("kernel_height", "kernel_width", "stride_height", "stride_width")
    bounds = (int(call.attrs["low"]), int(call.attrs["high"]))
    if any(int(call.attrs[name]) != 1 for name in names) or bounds != INTEGER_RANGE[dtype_of(call)]:
        return None
    return call.args[0]
