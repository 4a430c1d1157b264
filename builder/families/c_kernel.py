"""Kernels that are one call of a C function from `kernels/`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tvm import relax

from builder import tir
from builder.operators.base import Kernel, dtype_of, shape_of


def c_kernel(
    function: str, call: Any, numbers: Sequence[int] = (), in_place: Sequence[tuple[int, int]] = ()
) -> Kernel:
    """`int32_t function(arguments..., results..., numbers...)`, each tensor by its address.

    The function returns 0, or a `Failure`.
    """
    types = call.ty.fields if isinstance(call.ty, relax.TupleType) else [call.ty]
    shapes = [(shape_of(argument), dtype_of(argument)) for argument in call.args]
    shapes += [(tuple(int(size) for size in kind.shape.values), str(kind.dtype)) for kind in types]
    buffers = [(f"t{number}", (math.prod(shape),), dtype) for number, (shape, dtype) in enumerate(shapes)]

    def body(*tensors: Any) -> None:
        addresses = [tir.address(tensor, 0) for tensor in tensors]
        failure = tir.Cell("int32", tir.call("int32", function, *addresses, *numbers))
        with tir.when(failure.value != 0):
            tir.fail(failure.value)

    return Kernel(tir.kernel(buffers, body), call.args, in_place)
