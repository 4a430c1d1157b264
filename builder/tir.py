"""A thin layer over TVM's TIR builder: what kernels are written with.

`kernel` makes a function of typed buffers; in its body, loops and conditions are `with` blocks and memory is
written through `Cell` (a scalar variable) or `store`.  All of TVM's own names stay in this file and in
`codegen.py`, so that a change of TVM's interface has one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tvm.script import tirx as T
from tvm.script.ir_builder import IRBuilder
from tvm.tirx import const
from tvm.tirx.script import builder as _builder


def kernel(buffers: Sequence[tuple[str, Sequence[int], str]], body: Callable[..., None]) -> Any:
    """A TIR function of buffers (name, shape, dtype), results last; `body` receives them in order."""
    with IRBuilder() as builder, _builder.prim_func():
        body(*(T.arg(name, T.Buffer(tuple(shape) or (1,), dtype)) for name, shape, dtype in buffers))
        T.Return(0)
    # Opaque to fusion: its body may call C, so TVM must not look for patterns in it.
    return builder.get().with_attr("op_pattern", 8)


class Cell:
    """A local variable."""

    def __init__(self, dtype: str, value: Any) -> None:
        self._buffer = T.alloc_buffer((1,), dtype)
        self.set(value)

    @property
    def value(self) -> Any:
        return self._buffer[0]

    def set(self, value: Any) -> None:
        T.buffer_store(self._buffer, value, [0])

    def add(self, value: Any) -> None:
        self.set(self.value + value)


def workspace(dtype: str, count: int) -> Any:
    """Memory for temporary values, which the memory plan places in the arena."""
    return T.alloc_buffer((count,), dtype)


def store(buffer: Any, indices: Sequence[Any], value: Any) -> None:
    T.buffer_store(buffer, value, list(indices))


def loop(extent: Any) -> Any:
    """`with loop(n) as i:` runs for i in 0..n."""
    return T.serial(0, extent)


@contextmanager
def loops(*extents: int) -> Iterator[tuple[Any, ...]]:
    """`with loops(h, w) as (y, x):` nests loops; a tuple also for one loop, or none."""
    if not extents:
        yield ()
        return
    with T.grid(*extents) as variables:
        yield tuple(variables) if len(extents) > 1 else (variables,)


@contextmanager
def when(condition: Any) -> Iterator[None]:
    with T.If(condition), T.Then():
        yield


def fail(failure: int) -> None:
    """Ends the stage with a `Failure`."""
    T.Return(failure)


def cast(dtype: str, value: Any) -> Any:
    return T.Cast(dtype, value)


def address(buffer: Any, *indices: Any) -> Any:
    return T.address_of(buffer[indices])


def call(dtype: str, function: str, *arguments: Any) -> Any:
    """A call of a C function from `kernels/`."""
    return T.call_extern(dtype, function, *arguments)


def evaluate(expression: Any) -> None:
    T.evaluate(expression)


def minimum(a: Any, b: Any) -> Any:
    return T.min(a, b)


def maximum(a: Any, b: Any) -> Any:
    return T.max(a, b)


def clamp(value: Any, low: float | None, high: float | None) -> Any:
    """A float32 value within bounds, either of which may be absent."""
    if low is not None:
        value = T.max(value, T.float32(low))
    if high is not None:
        value = T.min(value, T.float32(high))
    return value


def select(condition: Any, yes: Any, no: Any) -> Any:
    return T.Select(condition, yes, no)


def both(*conditions: Any) -> Any:
    """Conjunction."""
    result = conditions[0]
    for condition in conditions[1:]:
        result = T.And(result, condition)
    return result


def either(*conditions: Any) -> Any:
    """Disjunction; the later conditions are looked at only when the earlier ones fail."""
    result = conditions[0]
    for condition in conditions[1:]:
        result = T.Or(result, condition)
    return result


def negation(condition: Any) -> Any:
    return T.Not(condition)


def floor_divide(a: Any, b: int) -> Any:
    return T.floordiv(a, b)


def float32_literal(bits: int) -> Any:
    """A float32 by its bits; TVM's C backend prints literals with six digits only."""
    return T.call_pure_extern("float32", "rune_f32", T.uint32(bits & 0xFFFFFFFF))


def truncated_divide(a: Any, b: int) -> Any:
    """Integer division towards zero, as in C."""
    return T.truncdiv(a, b)


def truncated_modulo(a: Any, b: int) -> Any:
    """The remainder of `truncated_divide`, which has the sign of `a`, as `%` in C."""
    return T.truncmod(a, b)


def pure_call(dtype: str, function: str, *arguments: Any) -> Any:
    """A call of a C function without side effects: does not keep operators from fusing."""
    return T.call_pure_extern(dtype, function, *arguments)


def literal(dtype: str, value: float) -> Any:
    """A constant of that dtype; a float is rounded to it once."""
    return const(value, dtype)
